import type { Split } from '../datasets/dataset.ts';
import type { StepResult, TrainableModel } from '../models/model.ts';
import { batchCount, batchRange, disposeBatch, type Gather } from './batches.ts';
import { addBatch, means, noSums } from './means.ts';
import { pictureLosses } from './picture-losses.ts';
import { isPictureModel } from './samples.ts';

export interface EvaluateOptions {
  readonly batchSize: number;
  readonly gather: Gather;
  /** Runs before each batch; throws to end the evaluation. */
  readonly gate: () => Promise<void>;
  /** Part done, 0..1. */
  readonly onProgress: (done: number) => void;
}

/**
 * Mean loss (nats an example) and metrics over a split, in its own order: `accuracy` of reviews,
 * `hiddenLoss` of pictures.
 */
export async function evaluateSplit(
  model: TrainableModel,
  split: Split,
  { batchSize, gather, gate, onProgress }: EvaluateOptions,
): Promise<Record<string, number>> {
  const batches = batchCount(split.count, batchSize);
  let sums = noSums;
  for (let position = 0; position < batches; position += 1) {
    onProgress(position / batches);
    await gate();
    const { from, to } = batchRange(position, batchSize, split.count);
    const batch = gather(split, from, to);
    try {
      const result = isPictureModel(model) ? pictureLosses(model, batch) : model.evaluate(batch);
      sums = addBatch(sums, await takeValues(result), batch.size);
    } finally {
      disposeBatch(batch);
    }
  }
  return means(sums);
}

/** Fetches a step's scalars and disposes them; `loss` first. */
export async function takeValues({ loss, metrics }: StepResult): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const [name, scalar] of [['loss', loss] as const, ...Object.entries(metrics)]) {
    values[name] = (await scalar.data())[0] ?? Number.NaN;
    scalar.dispose();
  }
  return values;
}
