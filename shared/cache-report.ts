import { z } from 'zod';

/** What `clean` learns and does: the worker's caches, which can all be made again. */
export const cacheReportSchema = z.object({
  caches: z.array(
    z.object({
      name: z.string(),
      folder: z.string(),
      /** What it takes now, after anything was freed. */
      bytes: z.number().nonnegative(),
      freedBytes: z.number().nonnegative(),
    }),
  ),
});

export type CacheReport = z.infer<typeof cacheReportSchema>;
