import { z } from 'zod';
import { workloadSchema } from './workload.ts';

/**
 * What the harness and a participant say to each other, JSON a line each, over the participant's
 * standard input and output. The participant speaks first; then each request has one answer. It
 * ends when its standard input does.
 */

export const requestSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('prepare'), workload: workloadSchema, threads: z.int().positive() }),
  /** `warm` steps first, which are not timed. */
  z.object({ do: z.literal('run'), warm: z.int().nonnegative(), steps: z.int().positive() }),
]);

export const greetingSchema = z.union([
  /** Versions by program, e.g. `torch`. */
  z.object({ versions: z.record(z.string(), z.string()) }),
  /** Why it cannot take part. */
  z.object({ missing: z.string() }),
]);

export const preparedSchema = z.object({ note: z.string().optional() });

/** Milliseconds: of each step on the clock, and of all steps on all of the process's threads. */
export const timesSchema = z.object({
  wall: z.array(z.number().nonnegative()).min(1),
  processor: z.number().nonnegative(),
});

/** In place of an answer. */
export const failureSchema = z.object({ error: z.string() });

export type Request = z.infer<typeof requestSchema>;
export type Times = z.infer<typeof timesSchema>;
