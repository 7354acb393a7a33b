import { div, type Scalar, slice, sum, tidy } from '@tensorflow/tfjs-core';
import type { Batch, PictureModel, StepResult } from '../models/model.ts';
import { sigmoidCrossEntropy } from '../ops/sigmoid-cross-entropy.ts';
import { givenRows } from './samples.ts';

/**
 * Mean negative log-likelihoods of a batch of pictures in nats a picture: `loss` of the whole, and
 * `hiddenLoss` = -log p(rows 14..27 given rows 0..13). Both exact: with the raster factorisation
 * the second is the lower rows' part of the first.
 */
export function pictureLosses(model: PictureModel, { inputs, targets, size }: Batch): StepResult {
  return tidy(() => {
    const logits = model.logits(inputs);
    const [, rows = 0, columns = 0] = logits.shape;
    const lower = [size, rows - givenRows, columns, 1];
    const nats = sigmoidCrossEntropy(logits, targets);
    const hidden = slice(nats, [0, givenRows, 0, 0], lower);
    const loss: Scalar = div(sum(nats), size);
    const hiddenLoss: Scalar = div(sum(hidden), size);
    return { loss, metrics: { hiddenLoss } };
  });
}
