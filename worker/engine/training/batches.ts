import { tensor } from '@tensorflow/tfjs-core';
import type { Split } from '../datasets/dataset.ts';
import type { Batch } from '../models/model.ts';

/** Steps in one pass over `examples`; the last batch may be smaller, as in Keras. */
export const batchCount = (examples: number, batchSize: number): number =>
  Math.ceil(examples / batchSize);

/** Which examples the batch at `position` holds: places in the order, or the examples themselves. */
export function batchRange(position: number, batchSize: number, examples: number) {
  const from = position * batchSize;
  return { from, to: Math.min(from + batchSize, examples) };
}

/**
 * Copies examples from..to-1 of an order (or of the split itself) to the device. The caller
 * disposes it with `disposeBatch`.
 */
export type Gather = (split: Split, from: number, to: number, order?: Uint32Array) => Batch;

/** Reviews: inputs int32 [batch, timesteps]; targets float32 [batch], 1 for a positive review. */
export const gatherReviews: Gather = (split, from, to, order) => {
  const width = rowWidth(split);
  const inputs = new Int32Array((to - from) * width);
  const targets = new Float32Array(to - from);
  for (let place = from; place < to; place += 1) {
    const example = order?.[place] ?? place;
    inputs.set(
      split.inputs.subarray(example * width, (example + 1) * width),
      (place - from) * width,
    );
    targets[place - from] = split.labels?.[example] ?? Number.NaN;
  }
  const size = to - from;
  return {
    inputs: tensor(inputs, [size, ...split.inputShape], 'int32'),
    targets: tensor(targets, [size], 'float32'),
    size,
  };
};

/** Pictures: inputs float32 [batch, 28, 28, 1] of 0 and 1; targets the same tensor. */
export const gatherPictures: Gather = (split, from, to, order) => {
  const width = rowWidth(split);
  const values = new Float32Array((to - from) * width);
  for (let place = from; place < to; place += 1) {
    const example = order?.[place] ?? place;
    values.set(
      split.inputs.subarray(example * width, (example + 1) * width),
      (place - from) * width,
    );
  }
  const size = to - from;
  const inputs = tensor(values, [size, ...split.inputShape], 'float32');
  return { inputs, targets: inputs, size };
};

export function disposeBatch({ inputs, targets }: Batch): void {
  inputs.dispose();
  if (targets !== inputs) targets.dispose();
}

const rowWidth = ({ inputShape }: Split) => inputShape.reduce((product, size) => product * size, 1);
