import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import type { Initializer } from '@tensorflow/tfjs-layers/dist/initializers.js';
import type { DiagonalLstmWeights } from '../ops/recurrent-weights.ts';

/** Makes a trainable float32 weight of a layer. */
export type AddWeight = (name: string, shape: number[], initializer: Initializer) => LayerVariable;

/** One direction's weights as variables of a layer. */
export interface DiagonalLstmVariables {
  read(): DiagonalLstmWeights;
}

/**
 * Adds one direction's weights: kernels of Glorot's uniform distribution, a bias of zeros and, for the
 * forget gate, ones, and initial states of zeros, which are learned.
 *
 * @param prefix of their names, kernel, recurrent_kernel, bias, initial_output and initial_cell
 */
export function addDiagonalLstmWeights(
  addWeight: AddWeight,
  prefix: string,
  features: number,
  units: number,
): DiagonalLstmVariables {
  const glorot = initializers.glorotUniform({});
  const zeros = initializers.zeros();
  const kernel = addWeight(`${prefix}kernel`, [features, 4 * units], glorot);
  const recurrentKernel = addWeight(`${prefix}recurrent_kernel`, [2 * units, 4 * units], glorot);
  const bias = addWeight(`${prefix}bias`, [4 * units], zeros);
  tf.tidy(() => {
    bias.write(tf.concat([tf.zeros([units]), tf.ones([units]), tf.zeros([2 * units])]));
  });
  const initialOutput = addWeight(`${prefix}initial_output`, [units], zeros);
  const initialCell = addWeight(`${prefix}initial_cell`, [units], zeros);
  return {
    read: () => ({
      kernel: kernel.read() as tf.Tensor2D,
      recurrentKernel: recurrentKernel.read() as tf.Tensor2D,
      bias: bias.read() as tf.Tensor1D,
      initialOutput: initialOutput.read() as tf.Tensor1D,
      initialCell: initialCell.read() as tf.Tensor1D,
    }),
  };
}
