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

/** Pixels [cells, batch] as maps of one feature, [cells, batch, 1]. */
export function asMaps(pixels: tf.Tensor2D): tf.Tensor3D {
  return tf.reshape(pixels, [...pixels.shape, 1]);
}
