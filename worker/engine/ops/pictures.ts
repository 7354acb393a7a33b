import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize } from './diagonal-order.ts';

/** [batch, rows, columns, 1] as [rows · columns, batch]: the layout in which maps are computed. */
export function pixelsOf(pictures: tf.Tensor, { rows, columns }: PictureSize): tf.Tensor2D {
  const batch = pictures.shape[0] ?? 0;
  return tf.transpose(tf.reshape<tf.Rank.R2>(pictures, [batch, rows * columns]));
}

/** The inverse of `pixelsOf`. */
export function picturesOf(pixels: tf.Tensor2D, { rows, columns }: PictureSize): tf.Tensor4D {
  return tf.reshape(tf.transpose(pixels), [pixels.shape[1], rows, columns, 1]);
}

/**
 * A 1x1 convolution: one matrix product over all pixels of all pictures.
 *
 * @param maps [cells, batch, features]
 * @param kernel [features, outputs]
 */
export function pointwise(maps: tf.Tensor3D, kernel: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor3D {
  const [cells, batch, features] = maps.shape;
  const product = tf.matMul(tf.reshape<tf.Rank.R2>(maps, [cells * batch, features]), kernel);
  return tf.reshape(tf.add(product, bias), [cells, batch, kernel.shape[1]]);
}
