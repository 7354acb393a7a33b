import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels } from '../ops/choose.ts';
import { type DenseLayer, denseLoss, denseStack } from '../ops/dense-loss.ts';
import type { PictureSize } from '../ops/diagonal-order.ts';
import { convolveLive, maskedConvolution } from '../ops/masked-convolution.ts';
import { asMaps, picturesOf, pixelsOf } from '../ops/pictures.ts';
import { sampleAncestrally } from './ancestral-sampling.ts';
import { digitSize } from './digit-size.ts';
import { glorotUniform, zeros } from './initializers.ts';
import { livePixels } from './live-pixels.ts';
import type { Batch, GradientResult, PictureModel, StepResult } from './model.ts';
import { NativeSampler } from './native-sampler.ts';
import { drawPixelByPixel } from './pixel-by-pixel.ts';
import { type WeightSpecification, Weights } from './weights.ts';

/** Maps after the masked 7x7 convolution, after each linear 1x1 one, and after each with a ReLU. */
const inputMaps = 16;
const linearMaps = [3, 3, 3, 3, 3, 3, 3];
const outputMaps = [32, 32];
const kernelSize = 7;

/**
 * The network that the report really ran (philkuz/PixelRNN with `model: pixel_cnn`): a 7x7 mask-A
 * convolution, seven 1x1 convolutions with three maps and no activation, two 1x1 convolutions with
 * ReLU, one logit; 2,140 parameters. It sees the three rows above a pixel and no more.
 *
 * Inputs float32 [batch, 28, 28, 1] of 0 and 1. The loss is the exact negative log-likelihood in
 * nats a picture.
 */
export class PixelCnnReport implements PictureModel {
  readonly #size: PictureSize = digitSize;
  readonly #weights: Weights;

  constructor({ seed }: { readonly seed: number }) {
    this.#weights = new Weights(seed, pixelCnnReportSpecifications());
  }

  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.#weights.variables;
  }

  logits(pictures: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => picturesOf(this.#pixelLogits(pixelsOf(pictures, this.#size)), this.#size));
  }

  lossAndGradients(batch: Batch): GradientResult {
    return this.#weights.gradients(() => this.evaluate(batch));
  }

  evaluate(batch: Batch): StepResult {
    return tf.tidy(() => {
      const pixels = pixelsOf(batch.inputs, this.#size);
      const loss = denseLoss(this.#inputMaps(pixels), pixels, this.#pointwise(), { reluFrom });
      return { loss, metrics: {} };
    });
  }

  async complete(
    ...[pictures, count, firstRow, random, given]: Parameters<PictureModel['complete']>
  ): Promise<Uint8Array> {
    const size = this.#size;
    const options = { size, count, firstRow, random, ...given };
    const kernels = chooseKernels('best');
    if (kernels !== undefined) {
      const network = {
        weights: [...this.variables.values()],
        diagonalLayers: 0,
        reluFrom,
      };
      return sampleAncestrally(new NativeSampler(kernels, network, size, count), pictures, options);
    }
    const logits = async (grown: Uint8Array, row: number, column: number) => {
      const result = tf.tidy(() => {
        const seen = livePixels(grown, count, size, { row, column }, kernelSize);
        const live = tf.tensor2d(seen, [seen.length / count, count]);
        const maps = convolveLive(live, this.#inputKernel(), this.#bias('input'));
        return this.#afterInput(tf.reshape(maps, [1, ...maps.shape]));
      });
      try {
        // float32, as every logit is.
        return (await result.data()) as Float32Array;
      } finally {
        result.dispose();
      }
    };
    return sampleAncestrally(drawPixelByPixel({ logits }, size, count), pictures, options);
  }

  dispose(): void {
    this.#weights.dispose();
  }

  /** [cells, batch], of pixels in the same layout. */
  #pixelLogits(pixels: tf.Tensor2D): tf.Tensor2D {
    return tf.reshape(this.#afterInput(this.#inputMaps(pixels)), pixels.shape);
  }

  #inputMaps(pixels: tf.Tensor2D): tf.Tensor3D {
    const [kernel, bias] = [this.#inputKernel(), this.#bias('input')];
    return maskedConvolution(asMaps(pixels), kernel, bias, this.#size, 'A', { ofData: true });
  }

  #afterInput(maps: tf.Tensor3D): tf.Tensor3D {
    return denseStack(maps, this.#pointwise(), { reluFrom });
  }

  #pointwise(): DenseLayer[] {
    return pointwiseNames.map((name) => ({
      kernel: this.#weights.get(`${name}/kernel`),
      bias: this.#bias(name),
    }));
  }

  #inputKernel(): tf.Tensor4D {
    return this.#weights.get<tf.Tensor4D>('input/kernel');
  }

  #bias(name: string): tf.Tensor1D {
    return this.#weights.get<tf.Tensor1D>(`${name}/bias`);
  }
}

/** A layer's ReLU is taken by the one that reads its result: those after the first output layer. */
const reluFrom = linearMaps.length + 1;
const pointwiseNames = [...names('linear', linearMaps), ...names('output', outputMaps), 'logit'];

function names(base: string, widths: readonly number[]): string[] {
  return widths.map((_, index) => `${base}_${index}`);
}

export function pixelCnnReportSpecifications(): WeightSpecification[] {
  const convolution = (name: string, kernel: readonly number[]): WeightSpecification[] => [
    [`${name}/kernel`, kernel, glorotUniform],
    [`${name}/bias`, kernel.slice(-1), zeros],
  ];
  const widths = [inputMaps, ...linearMaps, ...outputMaps, 1];
  return [
    ...convolution('input', [kernelSize, kernelSize, 1, inputMaps]),
    ...pointwiseNames.flatMap((name, index) => convolution(name, widths.slice(index, index + 2))),
  ];
}
