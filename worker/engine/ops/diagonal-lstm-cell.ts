import * as tf from '@tensorflow/tfjs-core';
import { compute } from './choose.ts';
import { lstmCell } from './lstm-cell.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/** The state of one pixel; each [batch, units]. */
export interface PixelState {
  readonly output: tf.Tensor2D;
  readonly cell: tf.Tensor2D;
}

/**
 * `diagonalLstm` at a single pixel, without a gradient.
 *
 * @param input [batch, features]
 * @param above the output of the pixel above, [batch, units]
 * @param side the state of the pixel beside it
 */
export function diagonalLstmCell(
  weights: DiagonalLstmWeights,
  input: tf.Tensor2D,
  above: tf.Tensor2D,
  side: PixelState,
): PixelState {
  return tf.tidy(() => {
    const projected = tf.add(tf.matMul(input, weights.kernel), weights.bias);
    const recurrent = tf.matMul(tf.concat([above, side.output], 1), weights.recurrentKernel);
    const gates: tf.Tensor2D = tf.add(projected, recurrent);
    return compute('best', (arithmetic) => {
      const { output, cell, ...rest } = lstmCell(
        arithmetic,
        arithmetic.fromTensor(gates),
        arithmetic.fromTensor(side.cell),
      );
      arithmetic.release(...Object.values(rest));
      return { output: arithmetic.toTensor(output), cell: arithmetic.toTensor(cell) };
    });
  });
}
