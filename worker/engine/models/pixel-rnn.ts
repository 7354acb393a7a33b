import * as tf from '@tensorflow/tfjs-core';
import type { Settings } from '../../../shared/recipes.ts';
import { type DiagonalLstmWeights, diagonalLstm, shiftDown } from '../ops/diagonal-lstm.ts';
import type { Direction, PictureSize } from '../ops/diagonal-order.ts';
import { maskedConvolution } from '../ops/masked-convolution.ts';
import { picturesOf, pixelsOf, pointwise } from '../ops/pictures.ts';
import { glorotUniform, unitForgetBias, zeros } from './initializers.ts';
import type { Batch, GradientResult, PictureModel, StepResult } from './model.ts';
import { pictureLoss } from './picture-loss.ts';
import { Weights, type WeightSpecification } from './weights.ts';

/** What shapes the network; a part of the recipe's settings. */
export type PixelRnnShape = Pick<
  Settings<'digits-pixel-rnn'>,
  'seed' | 'layers' | 'units' | 'outputUnits'
>;

const digitSize: PictureSize = { rows: 28, columns: 28 };

/**
 * PixelRNN with Diagonal BiLSTM layers (van den Oord et al., 2016): a 7x7 mask-A convolution to 2h
 * maps; layers of two directions of h units, the right one's map moved down one row, their sum
 * upsampled to 2h maps and added to the layer's input; twice ReLU and a 1x1 convolution, ReLU, and
 * one logit a pixel. Initial states outside the picture are learned.
 *
 * Inputs float32 [batch, rows, columns, 1] of 0 and 1. The loss is the exact negative log-likelihood
 * in nats a picture.
 */
export class PixelRnn implements PictureModel {
  readonly #size: PictureSize;
  readonly #layers: number;
  readonly #weights: Weights;

  /** @param size Default: 28 x 28. */
  constructor(shape: PixelRnnShape, size: PictureSize = digitSize) {
    this.#size = size;
    this.#layers = shape.layers;
    this.#weights = new Weights(shape.seed, specifications(shape));
  }

  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.#weights.variables;
  }

  logits(pictures: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() =>
      picturesOf(this.#pixelLogits(pixelsOf(pictures, this.#size)), this.#size),
    );
  }

  lossAndGradients(batch: Batch): GradientResult {
    return this.#weights.gradients(() => this.evaluate(batch));
  }

  evaluate(batch: Batch): StepResult {
    return tf.tidy(() => {
      const pixels = pixelsOf(batch.inputs, this.#size);
      return { loss: pictureLoss(this.#pixelLogits(pixels), pixels), metrics: {} };
    });
  }

  complete(): Promise<Uint8Array> {
    throw new Error('to be written');
  }

  dispose(): void {
    this.#weights.dispose();
  }

  /** [cells, batch], of pixels in the same layout. */
  #pixelLogits(pixels: tf.Tensor2D): tf.Tensor2D {
    const weights = this.#weights;
    let maps = maskedConvolution(
      pixels,
      weights.get<tf.Tensor4D>('input/kernel'),
      weights.get<tf.Tensor1D>('input/bias'),
      this.#size,
      'A',
    );
    for (let layer = 0; layer < this.#layers; layer++) {
      const scan = (direction: Direction) =>
        diagonalLstm(maps, this.#directionWeights(layer, direction), this.#size, direction);
      const states = tf.add(scan('left'), shiftDown(scan('right'), this.#size)) as tf.Tensor3D;
      maps = tf.add(maps, this.#pointwise(states, `layer_${layer}/upsample`));
    }
    for (const name of ['output_0', 'output_1', 'logit']) {
      maps = this.#pointwise(tf.relu(maps), name);
    }
    return tf.reshape(maps, pixels.shape);
  }

  #pointwise(maps: tf.Tensor3D, name: string): tf.Tensor3D {
    const bias = this.#weights.get<tf.Tensor1D>(`${name}/bias`);
    return pointwise(maps, this.#weights.get(`${name}/kernel`), bias);
  }

  #directionWeights(layer: number, direction: Direction): DiagonalLstmWeights {
    const name = `layer_${layer}/${direction}`;
    return {
      kernel: this.#weights.get(`${name}/kernel`),
      recurrentKernel: this.#weights.get(`${name}/recurrent_kernel`),
      bias: this.#weights.get<tf.Tensor1D>(`${name}/bias`),
      initialOutput: this.#weights.get<tf.Tensor1D>(`${name}/initial_output`),
      initialCell: this.#weights.get<tf.Tensor1D>(`${name}/initial_cell`),
    };
  }
}

function specifications({ layers, units, outputUnits }: PixelRnnShape): WeightSpecification[] {
  const maps = 2 * units;
  const convolution = (name: string, shape: readonly number[]): WeightSpecification[] => [
    [`${name}/kernel`, shape, glorotUniform],
    [`${name}/bias`, shape.slice(-1), zeros],
  ];
  const direction = (name: string): WeightSpecification[] => [
    [`${name}/kernel`, [maps, 4 * units], glorotUniform],
    [`${name}/recurrent_kernel`, [2 * units, 4 * units], glorotUniform],
    [`${name}/bias`, [4 * units], unitForgetBias],
    [`${name}/initial_output`, [units], zeros],
    [`${name}/initial_cell`, [units], zeros],
  ];
  const diagonalLayers = Array.from({ length: layers }, (_, layer) => [
    ...direction(`layer_${layer}/left`),
    ...direction(`layer_${layer}/right`),
    ...convolution(`layer_${layer}/upsample`, [units, maps]),
  ]);
  return [
    ...convolution('input', [7, 7, 1, maps]),
    ...diagonalLayers.flat(),
    ...convolution('output_0', [maps, outputUnits]),
    ...convolution('output_1', [outputUnits, outputUnits]),
    ...convolution('logit', [outputUnits, 1]),
  ];
}
