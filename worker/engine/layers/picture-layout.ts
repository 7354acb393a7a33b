import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize } from '../ops/diagonal-order.ts';

/** [batch, rows, columns, features], or channels that tfjs may not know yet. */
export type PictureShape = [
  batch: number | null,
  rows: number | null,
  columns: number | null,
  features: number | null,
];

/** Pictures as tfjs has them, [batch, rows, columns, features], as the operations' maps. */
export function mapsOf(pictures: tf.Tensor4D): { maps: tf.Tensor3D; size: PictureSize } {
  const [batch, rows, columns, features] = pictures.shape;
  const cells: tf.Tensor3D = tf.reshape(pictures, [batch, rows * columns, features]);
  return { maps: tf.transpose(cells, [1, 0, 2]), size: { rows, columns } };
}

/** The inverse of `mapsOf`. @param maps [rows · columns, batch, features] */
export function picturesOfMaps(maps: tf.Tensor3D, { rows, columns }: PictureSize): tf.Tensor4D {
  const [, batch, features] = maps.shape;
  return tf.reshape(tf.transpose(maps, [1, 0, 2]), [batch, rows, columns, features]);
}

/** A layer's one input, which tfjs may hand over in an array. */
export function onePicture(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor4D {
  return (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor4D;
}
