import * as tf from '@tensorflow/tfjs-core';
import { chooseForLayer, type Implementation } from './choose.ts';
import { composedDiagonalLstms } from './composed-diagonal-lstm.ts';
import type { Direction, PictureSize } from './diagonal-order.ts';
import { fusedDiagonalLstm } from './fused-diagonal-lstm.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/**
 * One direction of the Diagonal BiLSTM (van den Oord et al., 2016, section 3.2 and equation 3): an
 * LSTM at every pixel whose state comes from the pixel beside it (cell and output) and the pixel
 * above it (output). The side is the left for direction `left` and the right for `right`. On the
 * native engine's CPU one operation each way; elsewhere all pixels of a diagonal are computed at once,
 * and the input-to-state convolution is one product over all pixels.
 *
 * The right direction's output at a pixel knows pixels after it: add it to the left one's only after
 * `shiftDown`.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 * @returns h, [rows · columns, batch, units]
 */
export function diagonalLstm(
  maps: tf.Tensor3D,
  weights: DiagonalLstmWeights,
  size: PictureSize,
  direction: Direction,
  implementation: Implementation = 'best',
): tf.Tensor3D {
  const choice = chooseForLayer('DiagonalLSTM', implementation, ableToScan);
  if (choice.name === 'kernel') {
    return fusedDiagonalLstm(choice.native, maps, weights, size, direction);
  }
  const [output] = composedDiagonalLstms(maps, [{ weights, direction }], size, choice.name);
  // One for the one scan.
  return output as tf.Tensor3D;
}

/** What a Diagonal LSTM can be computed by. */
export const ableToScan = ['kernel', 'operations', 'composed'] as const;

/**
 * Moves a map down by one row, the first becoming zero, so that a right map's pixel knows only
 * pixels of the rows above.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 */
export function shiftDown(maps: tf.Tensor3D, { columns }: PictureSize): tf.Tensor3D {
  const [cells, batch, features] = maps.shape;
  const kept = tf.slice(maps, [0, 0, 0], [cells - columns, batch, features]);
  return tf.pad(kept, [
    [columns, 0],
    [0, 0],
    [0, 0],
  ]);
}
