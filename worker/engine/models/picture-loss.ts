import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize } from '../ops/diagonal-order.ts';
import { sigmoidCrossEntropy } from '../ops/sigmoid-cross-entropy.ts';

export const digitSize: PictureSize = { rows: 28, columns: 28 };

/**
 * The exact negative log-likelihood in nats: summed over a picture's pixels, mean over the batch.
 *
 * @param logits [cells, batch]
 * @param pixels 0 or 1, of the same shape
 */
export function pictureLoss(logits: tf.Tensor2D, pixels: tf.Tensor2D): tf.Scalar {
  return tf.div(tf.sum(sigmoidCrossEntropy(logits, pixels)), pixels.shape[1]);
}
