import { z } from 'zod';
import { engineReportSchema } from '../../../shared/engine-report.ts';
import { checkpointIdSchema, runIdSchema } from '../../../shared/events.ts';

/**
 * `state.json` of a checkpoint: all that a resumed run needs beside weights and optimizer slots to
 * go on as if it had never stopped. Numbers are IEEE doubles; JSON keeps every bit of them.
 */

const count = z.int().min(0);
const finite = z.number();

export const bestSchema = z.strictObject({
  /** Validation loss in nats an example. */
  loss: finite,
  step: count,
  epoch: count,
  checkpoint: checkpointIdSchema,
});

export const progressSchema = z.strictObject({
  /** Updates applied so far. */
  step: count,
  /** Epoch that the last step belongs to, from 1. */
  epoch: z.int().min(1),
  /** Steps done within that epoch: the place in its order of examples. */
  position: count,
  /** The epoch was validated and reported; the next step begins another. */
  epochFinished: z.boolean(),
  /** Sums over the epoch's training examples so far, in the order they were added. */
  sums: z.strictObject({ examples: count, totals: z.record(z.string(), finite) }),
  /** Seconds spent on this epoch, and of these on training steps. */
  seconds: z.strictObject({ epoch: finite, training: finite }),
  /** Step of the last grid of completed digits. */
  sampledStep: count,
  earlyStopping: z.strictObject({ best: bestSchema.optional(), epochsWithoutBetter: count }),
  /** Settings that may change while a run is going on. */
  epochs: z.int().positive(),
  patience: count,
});

export const stateSchema = z.strictObject({
  format: z.literal(1),
  run: runIdSchema,
  recipe: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** Version of teletrain that wrote it. */
  version: z.string(),
  engine: engineReportSchema,
  dataset: z.strictObject({
    name: z.string(),
    binarization: z.string().optional(),
    sources: z.array(z.strictObject({ file: z.string(), sha256: z.string() })),
  }),
  /**
   * No generator's state is carried on: every random stream begins anew from (seed, name), where
   * the name holds the epoch (`order/<epoch - 1>`) or the step (`sample/<step>`).
   */
  random: z.strictObject({ seed: count }),
  optimizer: z.strictObject({ iterations: count }),
  progress: progressSchema,
});

export type Best = z.infer<typeof bestSchema>;
export type Progress = z.infer<typeof progressSchema>;
export type CheckpointState = z.infer<typeof stateSchema>;

/** Where a run begins. */
export function initialProgress(limits: { epochs: number; patience: number }): Progress {
  return {
    step: 0,
    epoch: 1,
    position: 0,
    epochFinished: false,
    sums: { examples: 0, totals: {} },
    seconds: { epoch: 0, training: 0 },
    sampledStep: 0,
    earlyStopping: { epochsWithoutBetter: 0 },
    epochs: limits.epochs,
    patience: limits.patience,
  };
}
