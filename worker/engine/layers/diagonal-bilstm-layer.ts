import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import type { LayerArgs } from '@tensorflow/tfjs-layers/dist/engine/topology.js';
import { diagonalBiLstmLayer } from '../ops/diagonal-bilstm-layer.ts';
import {
  type AddWeight,
  addDiagonalLstmWeights,
  type DiagonalLstmVariables,
} from './diagonal-lstm-weights.ts';
import { mapsOf, onePicture, type PictureShape, picturesOfMaps } from './picture-layout.ts';
import { refuseOptions } from './refused-options.ts';

export interface DiagonalBiLstmArguments extends LayerArgs {
  /** Size of h in each direction. */
  units: number;
}

interface Variables {
  readonly left: DiagonalLstmVariables;
  readonly right: DiagonalLstmVariables;
  readonly kernel: LayerVariable;
  readonly bias: LayerVariable;
}

/**
 * PixelRNN's Diagonal BiLSTM layer (van den Oord et al., 2016, sections 3.2 and 3.3): both directions
 * over pictures, the right one's map moved down a row so that no pixel is seen before its time, their
 * sum upsampled by a 1x1 convolution to the input's features and added to the input. Shapes stay,
 * [batch, rows, columns, features].
 *
 * Weights: those of a DiagonalLSTM for `left` and for `right`, then upsample/kernel [units, features]
 * and upsample/bias [features].
 */
export class DiagonalBiLstmLayer extends layers.Layer {
  static readonly className = 'DiagonalBiLSTM';
  readonly units: number;
  #weights: Variables | undefined;

  /** @throws TeletrainError `layer-option-unsupported` */
  constructor(given: DiagonalBiLstmArguments) {
    refuseOptions(DiagonalBiLstmLayer.className, given);
    super(given);
    this.units = given.units;
    this.inputSpec = [{ ndim: 4 }];
  }

  override build(inputShape: PictureShape): void {
    const features = inputShape[3] ?? 0;
    const addWeight: AddWeight = (name, shape, initializer) =>
      this.addWeight(name, shape, 'float32', initializer);
    this.#weights = {
      left: addDiagonalLstmWeights(addWeight, 'left/', features, this.units),
      right: addDiagonalLstmWeights(addWeight, 'right/', features, this.units),
      kernel: addWeight('upsample/kernel', [this.units, features], initializers.glorotUniform({})),
      bias: addWeight('upsample/bias', [features], initializers.zeros()),
    };
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const { maps, size } = mapsOf(onePicture(inputs));
      // tfjs builds a layer before it calls it.
      const { left, right, kernel, bias } = this.#weights as Variables;
      // Their shapes are those that `build` asked for.
      const upsample = { kernel: kernel.read() as tf.Tensor2D, bias: bias.read() as tf.Tensor1D };
      const weights = { left: left.read(), right: right.read(), upsample };
      return picturesOfMaps(diagonalBiLstmLayer(maps, weights, size), size);
    });
  }

  override computeOutputShape(inputShape: PictureShape): PictureShape {
    return inputShape;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units };
  }
}
