import * as tf from '@tensorflow/tfjs-core';
import { differentiable } from './custom-gradient.ts';

/**
 * Looks up the vectors of tokens.
 *
 * @param embeddings [vocabulary, units]
 * @param tokens int32 in [0, vocabulary), of any shape
 * @returns the tokens' shape followed by units
 */
export function embedding(embeddings: tf.Tensor2D, tokens: tf.Tensor): tf.Tensor {
  const [vocabulary, units] = embeddings.shape;
  const list = tf.reshape<tf.Rank.R1>(tokens, [tokens.size]);
  const rows = differentiable<tf.Tensor2D, [tf.Tensor1D]>([embeddings], {
    forward: () => ({ value: tf.gather(embeddings, list), saved: [list] }),
    gradient: (dy, [list]) => [tf.unsortedSegmentSum(dy, list, vocabulary)],
  });
  return tf.reshape(rows, [...tokens.shape, units]);
}
