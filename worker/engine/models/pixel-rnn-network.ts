import * as tf from '@tensorflow/tfjs-core';
import { dense } from '../ops/dense.ts';
import { denseLoss, denseStack } from '../ops/dense-loss.ts';
import { diagonalBiLstm } from '../ops/diagonal-bilstm.ts';
import { diagonalBiLstmLayer } from '../ops/diagonal-bilstm-layer.ts';
import { shiftDown } from '../ops/diagonal-lstm.ts';
import type { PictureSize } from '../ops/diagonal-order.ts';
import { maskedConvolution } from '../ops/masked-convolution.ts';
import { asMaps } from '../ops/pictures.ts';
import type { PixelRnnLayer, PixelRnnWeights } from './pixel-rnn-weights.ts';

/** One layer's maps; each in raster order, [cells, batch, …]. */
export interface LayerMaps {
  /** [cells, batch, units]; the right direction's not yet moved down. */
  readonly left: tf.Tensor3D;
  readonly right: tf.Tensor3D;
  /** [cells, batch, 2 · units] */
  readonly output: tf.Tensor3D;
}

/** The whole network: logits [cells, batch] of pixels in the same layout. */
export function pixelRnnLogits(
  weights: PixelRnnWeights,
  pixels: tf.Tensor2D,
  size: PictureSize,
): tf.Tensor2D {
  return tf.reshape(outputLogits(weights, lastMaps(weights, pixels, size)), pixels.shape);
}

/** The negative log-likelihood of pixels [cells, batch] in nats a picture, mean over the batch. */
export function pixelRnnLoss(
  weights: PixelRnnWeights,
  pixels: tf.Tensor2D,
  size: PictureSize,
): tf.Scalar {
  return denseLoss(lastMaps(weights, pixels, size), pixels, weights.output);
}

/** All layers' maps with what their directions gave, one after the other. */
export function pixelRnnLayers(
  weights: PixelRnnWeights,
  pixels: tf.Tensor2D,
  size: PictureSize,
): LayerMaps[] {
  let maps = inputMaps(weights, pixels, size);
  return weights.layers.map((layer) => {
    const { left, right } = diagonalBiLstm(maps, layer, size);
    maps = combine(layer, maps, left, shiftDown(right, size));
    return { left, right, output: maps };
  });
}

/**
 * A layer's output from its input and its two directions: their sum upsampled, and the input added.
 *
 * @param right what is seen at each pixel, already moved down
 */
export function combine(
  layer: PixelRnnLayer,
  input: tf.Tensor3D,
  left: tf.Tensor3D,
  right: tf.Tensor3D,
): tf.Tensor3D {
  const { kernel, bias } = layer.upsample;
  return dense(tf.add(left, right), kernel, bias, { residual: input });
}

/** [cells, batch, 1] from [cells, batch, 2 · units]. */
export function outputLogits({ output }: PixelRnnWeights, maps: tf.Tensor3D): tf.Tensor3D {
  return denseStack(maps, output);
}

function lastMaps(weights: PixelRnnWeights, pixels: tf.Tensor2D, size: PictureSize): tf.Tensor3D {
  return weights.layers.reduce(
    (input, layer) => diagonalBiLstmLayer(input, layer, size),
    inputMaps(weights, pixels, size),
  );
}

function inputMaps({ input }: PixelRnnWeights, pixels: tf.Tensor2D, size: PictureSize) {
  return maskedConvolution(asMaps(pixels), input.kernel, input.bias, size, 'A', { ofData: true });
}
