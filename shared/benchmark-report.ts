import { z } from 'zod';
import { exitCodes } from './errors.ts';

/** What `teletrain bench` measured: one document. All times are in milliseconds. */

const spreadSchema = z.object({
  median: z.number(),
  min: z.number(),
  max: z.number(),
  lowerQuartile: z.number(),
  upperQuartile: z.number(),
  /** One value a round, in order. */
  rounds: z.array(z.number()),
});

const measurementSchema = z.object({
  /** e.g. `keras`; `teletrain` is ours. */
  participant: z.string(),
  title: z.string(),
  /** Wall time of one unit of work. */
  wall: spreadSchema,
  /** Processor time of one unit of work, summed over the participant's threads. */
  processor: spreadSchema,
  /** Its wall time divided by ours, round by round: above 1, ours is faster. Absent for ours. */
  ratio: spreadSchema.optional(),
  /** How it was run where it had a choice, e.g. `jit_compile on`, or `LSTM by block`: not by our kernel. */
  note: z.string().optional(),
});

const missingSchema = z.object({
  participant: z.string(),
  title: z.string(),
  reason: z.string(),
  /** The command, or the option, that makes it available. */
  remedy: z.string(),
});

const limitSchema = z.object({
  /** Floating-point operations of the unit of work's matrix products. */
  operations: z.number(),
  /** How they are counted. */
  formula: z.string(),
  /** The best matrix product of this run, in GFLOP/s. */
  gigaflops: z.number(),
  /** `operations` at that rate. */
  milliseconds: z.number(),
  /** Our wall time divided by `milliseconds`. */
  ratio: spreadSchema,
});

const targetSchema = z.object({
  /** e.g. `>= 5x Keras`. */
  text: z.string(),
  /** The participant, or `limit` or `teletrain`, that it is about. */
  about: z.string(),
  /** Absent where what it is about was not measured. */
  value: z.number().optional(),
  verdict: z.enum(['met', 'missed', 'not measured']),
});

const caseSchema = z.object({
  name: z.string(),
  title: z.string(),
  /** What one time is of, e.g. `training step`. */
  unit: z.string(),
  measurements: z.array(measurementSchema),
  missing: z.array(missingSchema),
  limit: limitSchema.optional(),
  targets: z.array(targetSchema),
});

const machineSchema = z.object({
  cpu: z.string(),
  /** Vector extensions that matter. */
  cpuFeatures: z.array(z.string()),
  /** That every participant was given. */
  threads: z.number().int().positive(),
  memoryBytes: z.number(),
  system: z.string(),
  /** Processes that wanted a processor over the last minute, before and after: what else ran. */
  load: z.object({ before: z.number(), after: z.number() }),
  /**
   * By program, e.g. `keras`, `torch`, `node`. Where participants have different ones, that of the
   * first, and the others' as e.g. `tensorflow of keras`.
   */
  versions: z.record(z.string(), z.string()),
});

const documentSchema = z.object({
  format: z.literal(1),
  version: z.string(),
  startedAt: z.string(),
  seconds: z.number(),
  rounds: z.number().int().positive(),
  machine: machineSchema,
});

export const benchmarkReportSchema = documentSchema.extend({ cases: z.array(caseSchema) });

const sweepLineSchema = z.object({
  layer: z.enum(['SimpleRNN', 'GRU', 'LSTM', 'DiagonalLSTM']),
  /** What grows along the line. */
  axis: z.enum(['batch', 'timesteps', 'units']),
  /** What stays; of a Diagonal LSTM timesteps are the pixels. */
  fixed: z.object({ batch: z.number(), timesteps: z.number(), units: z.number() }),
  points: z.array(
    z.object({
      value: z.number(),
      /** Forward and backward: the median of all rounds. */
      milliseconds: z.number(),
      /** Floating-point operations of the matrix products. */
      operations: z.number(),
      /** The time divided by the operations. */
      picosecondsAnOperation: z.number(),
    }),
  ),
  /** Where our kernel is not what computes the layer, what does. */
  note: z.string().optional(),
});

/** What `teletrain bench --sweep` measured: whether cost grows as the work does. */
export const sweepReportSchema = documentSchema.extend({ lines: z.array(sweepLineSchema) });

/** What `teletrain bench --list` shows. */
export const benchmarkListSchema = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      title: z.string(),
      participants: z.array(z.string()),
      targets: z.array(z.string()),
    }),
  ),
  participants: z.array(z.object({ name: z.string(), title: z.string() })),
});

export type BenchmarkReport = z.infer<typeof benchmarkReportSchema>;
export type SweepReport = z.infer<typeof sweepReportSchema>;
export type SweepLine = z.infer<typeof sweepLineSchema>;
export type BenchmarkList = z.infer<typeof benchmarkListSchema>;
export type CaseReport = z.infer<typeof caseSchema>;
export type Measurement = z.infer<typeof measurementSchema>;
export type MissingParticipant = z.infer<typeof missingSchema>;
export type Spread = z.infer<typeof spreadSchema>;
export type TargetVerdict = z.infer<typeof targetSchema>;

/** What the client asks the benchmark's program for. */
export const benchmarkRequestSchema = z.object({
  /** Only tell what there is. */
  list: z.boolean().optional(),
  /** The layers alone over batches, timesteps and units, in place of the cases. */
  sweep: z.boolean().optional(),
  /** Names; absent: all. */
  cases: z.array(z.string()).optional(),
  /** Names of those to compare with; absent: all. */
  peers: z.array(z.string()).optional(),
  rounds: z.number().int().positive(),
  /** The Python that has the peers. */
  python: z.string().optional(),
  /** Folder of another clone, whose engine takes part. */
  earlier: z.string().optional(),
});

export const benchmarkAnswerSchema = z.union([
  z.object({ report: benchmarkReportSchema }),
  z.object({ sweep: sweepReportSchema }),
  z.object({ list: benchmarkListSchema }),
  z.object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      hint: z.string(),
      exitCode: z.enum(exitCodes),
    }),
  }),
]);

export type BenchmarkRequest = z.infer<typeof benchmarkRequestSchema>;
