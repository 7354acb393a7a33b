import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize } from './diagonal-order.ts';

/** `A` hides a pixel from itself, as the first layer must; `B` lets it see itself. */
export type Mask = 'A' | 'B';

/**
 * How many of a kernel's taps are alive: in raster order those before the centre, and for mask B
 * the centre. They are the kernel's first ones, so a mask is a slice.
 */
export function liveTaps(kernelSize: number, mask: Mask): number {
  return (kernelSize * kernelSize - 1) / 2 + (mask === 'B' ? 1 : 0);
}

/**
 * Masked convolution of one-channel pictures with zero padding (van den Oord et al., 2016, section
 * 3.4). Only live taps are computed: a hidden pixel is not multiplied by zero but never read, so
 * that it cannot change a bit of the result whatever algorithm the engine prefers.
 *
 * @param pixels in raster order, [rows · columns, batch]
 * @param kernel [size, size, 1, features], size odd; masked taps are ignored and get no gradient
 * @returns [rows · columns, batch, features]
 */
export function maskedConvolution(
  pixels: tf.Tensor2D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor1D,
  { rows, columns }: PictureSize,
  mask: Mask,
): tf.Tensor3D {
  const batch = pixels.shape[1];
  const kernelSize = kernel.shape[0];
  const reach = (kernelSize - 1) / 2;
  const padded = tf.pad(tf.reshape<tf.Rank.R3>(pixels, [rows, columns, batch]), [
    [reach, 0],
    [reach, reach],
    [0, 0],
  ]);
  const seen = Array.from({ length: liveTaps(kernelSize, mask) }, (_, tap) => {
    const begin: [number, number, number] = [Math.floor(tap / kernelSize), tap % kernelSize, 0];
    const part = tf.slice(padded, begin, [rows, columns, batch]);
    return tf.reshape<tf.Rank.R2>(part, [1, rows * columns * batch]);
  });
  const maps = convolveLive(tf.concat(seen, 0), kernel, bias);
  return tf.reshape(maps, [rows * columns, batch, kernel.shape[3]]);
}

/**
 * The same for places whose live pixels were gathered already.
 *
 * @param livePixels [taps, places], the kernel's live taps in raster order
 * @returns [places, features]
 */
export function convolveLive(
  livePixels: tf.Tensor2D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor1D,
): tf.Tensor2D {
  const [height, width, , features] = kernel.shape;
  const taps = tf.reshape<tf.Rank.R2>(kernel, [height * width, features]);
  const live = tf.slice(taps, 0, livePixels.shape[0]);
  return tf.add(tf.matMul(livePixels, live, true, false), bias);
}
