import { abs, add, exp, log, mul, neg, relu, slice, sub, sum, tidy } from '@tensorflow/tfjs-core';
import type { Split } from '../datasets/dataset.ts';
import type { PictureModel } from '../models/model.ts';
import { batchCount, batchRange, disposeBatch } from './batches.ts';
import type { EvaluateOptions } from './evaluate.ts';
import { addBatch, means, noSums } from './means.ts';
import { givenRows } from './samples.ts';

/**
 * Mean over the examples of -log p(rows 14..27 given rows 0..13) in nats. Exact: with the raster
 * factorisation it is the lower rows' part of the picture's negative log-likelihood.
 */
export async function hiddenHalfLoss(
  model: PictureModel,
  split: Split,
  { batchSize, gather, gate, onProgress }: EvaluateOptions,
): Promise<number> {
  const batches = batchCount(split.count, batchSize);
  let sums = noSums;
  for (let position = 0; position < batches; position += 1) {
    onProgress(position / batches);
    await gate();
    const { from, to } = batchRange(position, batchSize, split.count);
    const batch = gather(split, from, to);
    const total = tidy(() => {
      const [, height = 28, width = 28] = batch.inputs.shape;
      const start = [0, givenRows, 0, 0];
      const size = [batch.size, height - givenRows, width, 1];
      const logits = slice(model.logits(batch.inputs), start, size);
      const pixels = slice(batch.targets, start, size);
      // Cross-entropy of a logit without overflow: max(l, 0) - l x + log(1 + exp(-|l|)).
      const tail = log(add(1, exp(neg(abs(logits)))));
      return sum(add(sub(relu(logits), mul(logits, pixels)), tail));
    });
    const loss = ((await total.data())[0] ?? Number.NaN) / batch.size;
    total.dispose();
    disposeBatch(batch);
    sums = addBatch(sums, { loss }, batch.size);
  }
  return means(sums).loss ?? Number.NaN;
}
