import * as tf from '@tensorflow/tfjs-core';
import type { TableGradient } from '../models/gradients.ts';
import { differentiable } from './custom-gradient.ts';
import type { NativeDispatch } from './native-dispatch.ts';

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

/**
 * Looks up the vectors of sequences by our own kernel, outside of tfjs' tape: a gradient there has its
 * variable's shape, and this one's is a TableGradient (see lookUpGradient).
 *
 * @param embeddings [vocabulary, units]
 * @param tokens int32 [batch, timesteps]
 * @returns time-major, [timesteps, batch, units]
 * @throws Error where a token is not in [0, vocabulary)
 */
export function lookUp(
  native: NativeDispatch,
  embeddings: tf.Tensor2D,
  tokens: tf.Tensor2D,
): tf.Tensor3D {
  const [vectors] = native.runOnTensors('TeletrainEmbedding', [], [embeddings, tokens], 1);
  return vectors as tf.Tensor3D;
}

/**
 * The gradient of the table that `lookUp` read. A row's sum runs over its places in the time-major
 * order, the same way whatever the number of threads.
 *
 * @param dy the gradient of the vectors, [timesteps, batch, units]
 */
export function lookUpGradient(
  native: NativeDispatch,
  vocabulary: number,
  tokens: tf.Tensor2D,
  dy: tf.Tensor3D,
): TableGradient {
  const attributes = [native.intAttribute('vocabulary', vocabulary)];
  const [rows, values] = native.runOnTensors('TeletrainEmbeddingGrad', attributes, [tokens, dy], 2);
  return { rows: rows as tf.Tensor1D, values: values as tf.Tensor2D };
}
