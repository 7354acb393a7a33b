import { z } from 'zod';
import { engineReportSchema } from './engine-report.ts';

/** What `doctor` learns about the machine it runs on: its worker's engine, data and disk. */
export const doctorReportSchema = z.object({
  /** Null where no engine can be opened; `engineProblem` then says why. */
  engine: engineReportSchema.nullable(),
  engineProblem: z.object({ code: z.string(), message: z.string(), hint: z.string() }).optional(),
  data: z.array(
    z.object({
      dataset: z.string(),
      /** The folder that holds all of its files, or null: then it is downloaded when it is first used. */
      folder: z.string().nullable(),
      /** The files that the data folder lacks. */
      missing: z.array(z.string()),
    }),
  ),
  folders: z.object({ state: z.string(), cache: z.string() }),
  disk: z.object({
    folder: z.string(),
    freeBytes: z.number().nonnegative(),
    cacheBytes: z.number().nonnegative(),
  }),
});

export type DoctorReport = z.infer<typeof doctorReportSchema>;
