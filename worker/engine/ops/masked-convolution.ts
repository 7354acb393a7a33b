import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import type { PictureSize } from './diagonal-order.ts';
import type { NativeDispatch } from './native-dispatch.ts';

/** `A` hides a pixel from itself, as the first layer must; `B` lets it see itself. */
export type Mask = 'A' | 'B';

/**
 * How many of a kernel's taps are alive: in raster order those before the centre, and for mask B
 * the centre. They are the kernel's first ones, so a mask is a slice.
 */
export function liveTaps(kernelSize: number, mask: Mask): number {
  return (kernelSize * kernelSize - 1) / 2 + (mask === 'B' ? 1 : 0);
}

export interface MaskedConvolutionOptions {
  /** The maps are data, so that no gradient with respect to them is computed. Default: no. */
  readonly ofData?: boolean;
  /** Default: `best`. */
  readonly implementation?: Implementation;
}

/**
 * Masked convolution with zero padding (van den Oord et al., 2016, section 3.4). Only live taps are
 * computed: a hidden pixel is not multiplied by zero but never read, so that it cannot change a bit
 * of the result whatever algorithm the engine prefers. One operation each way on the native engine's
 * CPU, one matrix product over the gathered live taps elsewhere.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 * @param kernel [size, size, features, outputs], size odd; masked taps are ignored, with zero gradient
 * @returns [rows · columns, batch, outputs]
 */
export function maskedConvolution(
  maps: tf.Tensor3D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor1D,
  size: PictureSize,
  mask: Mask,
  options: MaskedConvolutionOptions = {},
): tf.Tensor3D {
  const kernels = chooseKernels(options.implementation ?? 'best');
  return kernels
    ? fusedMaskedConvolution(kernels, maps, kernel, bias, size, mask, options)
    : composedMaskedConvolution(maps, kernel, bias, size, mask);
}

function composedMaskedConvolution(
  maps: tf.Tensor3D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor1D,
  { rows, columns }: PictureSize,
  mask: Mask,
): tf.Tensor3D {
  const [, batch, features] = maps.shape;
  const [kernelSize, , , outputs] = kernel.shape;
  const reach = (kernelSize - 1) / 2;
  const cells = rows * columns;
  if (liveTaps(kernelSize, mask) === 0) {
    return tf.add(tf.zeros<tf.Rank.R3>([cells, batch, outputs]), bias);
  }
  // A feature's pixels next to each other: most networks have one, and long rows copy fast.
  const lines: [number, number, number, number] = [features, rows, columns, batch];
  const byFeature = tf.reshape<tf.Rank.R4>(tf.transpose(maps, [2, 0, 1]), lines);
  const padded = tf.pad(byFeature, [
    [0, 0],
    [reach, 0],
    [reach, reach],
    [0, 0],
  ]);
  const seen = Array.from({ length: liveTaps(kernelSize, mask) }, (_, tap) => {
    const [row, column] = [Math.floor(tap / kernelSize), tap % kernelSize];
    const part = tf.slice(padded, [0, row, column, 0], lines);
    return tf.reshape<tf.Rank.R2>(part, [features, cells * batch]);
  });
  return tf.reshape(convolveLive(tf.concat(seen, 0), kernel, bias), [cells, batch, outputs]);
}

/**
 * The same for places whose live pixels were gathered already.
 *
 * @param livePixels [taps · features, places], the kernel's live taps in raster order
 * @returns [places, outputs]
 */
export function convolveLive(
  livePixels: tf.Tensor2D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor1D,
): tf.Tensor2D {
  const [height, width, features, outputs] = kernel.shape;
  const taps = tf.reshape<tf.Rank.R2>(kernel, [height * width * features, outputs]);
  const live = tf.slice(taps, 0, livePixels.shape[0]);
  return tf.add(tf.matMul(livePixels, live, true, false), bias);
}

function fusedMaskedConvolution(
  native: NativeDispatch,
  maps: tf.Tensor3D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor1D,
  { rows, columns }: PictureSize,
  mask: Mask,
  { ofData = false }: MaskedConvolutionOptions,
): tf.Tensor3D {
  if (maps.shape[0] !== rows * columns) {
    throw new RangeError(`${maps.shape[0]} pixels are not ${rows} lines of ${columns}.`);
  }
  const attributes = [
    native.intAttribute('columns', columns),
    native.boolAttribute('sees_itself', mask === 'B'),
  ];
  const inputs = [...(ofData ? [] : [maps]), kernel, bias];
  return differentiable<tf.Tensor3D, [tf.Tensor3D, tf.Tensor4D]>(inputs, {
    forward() {
      const given = [maps, kernel, bias];
      const [outputs] = native.runOnTensors('TeletrainMaskedConvolution', attributes, given, 1);
      // One output of three dimensions, as asked for.
      return { value: outputs as tf.Tensor3D, saved: [maps, kernel] };
    },
    gradient(dy, [maps, kernel]) {
      const [ofMaps, ...ofWeights] = native.runOnTensors(
        'TeletrainMaskedConvolutionGrad',
        [...attributes, native.boolAttribute('to_inputs', !ofData)],
        [maps, kernel, dy],
        3,
      ) as [tf.Tensor, ...tf.Tensor[]];
      if (!ofData) return [ofMaps, ...ofWeights];
      ofMaps.dispose();
      return ofWeights;
    },
  });
}
