import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels } from '../ops/choose.ts';
import type { PictureSize } from '../ops/diagonal-order.ts';
import { picturesOf, pixelsOf } from '../ops/pictures.ts';
import { type RowSampler, sampleAncestrally } from './ancestral-sampling.ts';
import { digitSize } from './digit-size.ts';
import type { Batch, GradientResult, PictureModel, StepResult } from './model.ts';
import { NativeSampler } from './native-sampler.ts';
import { drawPixelByPixel } from './pixel-by-pixel.ts';
import { pixelRnnLogits, pixelRnnLoss } from './pixel-rnn-network.ts';
import { PixelRnnSampler } from './pixel-rnn-sampler.ts';
import {
  type PixelRnnShape,
  type PixelRnnWeights,
  pixelRnnSpecifications,
  pixelRnnWeights,
} from './pixel-rnn-weights.ts';
import { Weights } from './weights.ts';

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
  readonly #weights: Weights;
  readonly #network: PixelRnnWeights;

  /** @param size Default: 28 x 28. */
  constructor(shape: PixelRnnShape, size: PictureSize = digitSize) {
    this.#size = size;
    this.#weights = new Weights(shape.seed, pixelRnnSpecifications(shape));
    this.#network = pixelRnnWeights(this.#weights, shape.layers);
  }

  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.#weights.variables;
  }

  logits(pictures: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => {
      const pixels = pixelsOf(pictures, this.#size);
      return picturesOf(pixelRnnLogits(this.#network, pixels, this.#size), this.#size);
    });
  }

  lossAndGradients(batch: Batch): GradientResult {
    return this.#weights.gradients(() => this.evaluate(batch));
  }

  evaluate(batch: Batch): StepResult {
    return tf.tidy(() => {
      const pixels = pixelsOf(batch.inputs, this.#size);
      return { loss: pixelRnnLoss(this.#network, pixels, this.#size), metrics: {} };
    });
  }

  async complete(
    ...[pictures, count, firstRow, random, given]: Parameters<PictureModel['complete']>
  ): Promise<Uint8Array> {
    const size = this.#size;
    const sampler = this.#sampler(pictures, count, firstRow);
    return sampleAncestrally(sampler, pictures, { size, count, firstRow, random, ...given });
  }

  #sampler(pictures: Uint8Array, count: number, firstRow: number): RowSampler {
    const kernels = chooseKernels('best');
    if (kernels === undefined) {
      const byPixel = new PixelRnnSampler(this.#network, this.#size, pictures, count, firstRow);
      return drawPixelByPixel(byPixel, this.#size, count);
    }
    const network = {
      weights: [...this.variables.values()],
      diagonalLayers: this.#network.layers.length,
      reluFrom: 0,
    };
    return new NativeSampler(kernels, network, this.#size, count);
  }

  dispose(): void {
    this.#weights.dispose();
  }
}
