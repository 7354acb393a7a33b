import type * as tf from '@tensorflow/tfjs-core';
import { chooseForLayer, type Implementation } from './choose.ts';
import { composedDiagonalLstms } from './composed-diagonal-lstm.ts';
import { ableToScan, diagonalLstm } from './diagonal-lstm.ts';
import type { PictureSize } from './diagonal-order.ts';
import { nativeDispatch } from './native-dispatch.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/** One value for each direction of a Diagonal BiLSTM. */
export interface BothDirections<Value> {
  readonly left: Value;
  readonly right: Value;
}

/**
 * `diagonalLstm` in both directions on the same maps: by TensorFlow's operations together, each
 * product one batched product for both. By our own kernel, and on WebAssembly, one after the other:
 * that cuts a stack of matrices row by row, which costs more (a quarter, 64 pictures of 28 x 28 and
 * 32 units) than the operations saved.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 * @returns each direction's h, [rows · columns, batch, units]; the right one's not yet moved down
 */
export function diagonalBiLstm(
  maps: tf.Tensor3D,
  { left, right }: BothDirections<DiagonalLstmWeights>,
  size: PictureSize,
  implementation: Implementation = 'best',
): BothDirections<tf.Tensor3D> {
  const { name } = chooseForLayer('DiagonalLSTM', implementation, ableToScan);
  if (name === 'kernel' || nativeDispatch() === undefined) {
    return {
      left: diagonalLstm(maps, left, size, 'left', name),
      right: diagonalLstm(maps, right, size, 'right', name),
    };
  }
  const scans = [
    { weights: left, direction: 'left' },
    { weights: right, direction: 'right' },
  ] as const;
  const outputs = composedDiagonalLstms(maps, scans, size, name);
  // One for each scan.
  const [ofLeft, ofRight] = outputs as [tf.Tensor3D, tf.Tensor3D];
  return { left: ofLeft, right: ofRight };
}
