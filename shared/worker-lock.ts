import { z } from 'zod';

/**
 * `<worker home>/worker.lock`: which worker serves that home. Whoever starts workers reads it to
 * find one that is there already. It is true only while a process of that id, started at that
 * time, lives.
 */
export const workerLockName = 'worker.lock';

export const workerLockSchema = z.object({
  format: z.literal(1),
  pid: z.int().positive(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  /** Of the operating system, where it tells: tells a process from a later one of the same id. */
  processStart: z.string().optional(),
  name: z.string(),
  version: z.string(),
  /** Absent until it listens. */
  url: z.string().optional(),
});
export type WorkerLock = z.infer<typeof workerLockSchema>;
