import * as tf from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import type { LayerArgs } from '@tensorflow/tfjs-layers/dist/engine/topology.js';
import { diagonalLstm } from '../ops/diagonal-lstm.ts';
import type { Direction } from '../ops/diagonal-order.ts';
import { addDiagonalLstmWeights, type DiagonalLstmVariables } from './diagonal-lstm-weights.ts';
import { mapsOf, onePicture, type PictureShape, picturesOfMaps } from './picture-layout.ts';
import { refuseOptions } from './refused-options.ts';

export interface DiagonalLstmArguments extends LayerArgs {
  /** Size of h at each pixel. */
  units: number;
  /** The corner above that the scan begins in. Default: `left`. */
  direction?: Direction;
}

/**
 * One direction of the Diagonal BiLSTM over pictures (van den Oord et al., 2016, section 3.2), by
 * `diagonalLstm`: [batch, rows, columns, features] to [batch, rows, columns, units]. The direction
 * `right` gives at a pixel what knows the pixels to its right.
 *
 * Weights: kernel [features, 4 · units], recurrent_kernel [2 · units, 4 · units], bias [4 · units],
 * initial_output and initial_cell [units], gates in the order i, f, c, o.
 */
export class DiagonalLstmLayer extends layers.Layer {
  static readonly className = 'DiagonalLSTM';
  readonly units: number;
  readonly direction: Direction;
  #weights: DiagonalLstmVariables | undefined;

  /** @throws TeletrainError `layer-option-unsupported` */
  constructor(given: DiagonalLstmArguments) {
    refuseOptions(DiagonalLstmLayer.className, given);
    super(given);
    this.units = given.units;
    this.direction = given.direction ?? 'left';
    this.inputSpec = [{ ndim: 4 }];
  }

  override build(inputShape: PictureShape): void {
    this.#weights = addDiagonalLstmWeights(
      (name, shape, initializer) => this.addWeight(name, shape, 'float32', initializer),
      '',
      inputShape[3] ?? 0,
      this.units,
    );
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const { maps, size } = mapsOf(onePicture(inputs));
      // tfjs builds a layer before it calls it.
      const weights = (this.#weights as DiagonalLstmVariables).read();
      return picturesOfMaps(diagonalLstm(maps, weights, size, this.direction), size);
    });
  }

  override computeOutputShape([batch, rows, columns]: PictureShape): PictureShape {
    return [batch, rows, columns, this.units];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units, direction: this.direction };
  }
}
