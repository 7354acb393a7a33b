import * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import type { Direction, PictureSize } from './diagonal-order.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/** `diagonalLstm` by our own kernel, one operation each way on the picture as it is. */
export function fusedDiagonalLstm(
  native: NativeDispatch,
  maps: tf.Tensor3D,
  weights: DiagonalLstmWeights,
  { rows, columns }: PictureSize,
  direction: Direction,
): tf.Tensor3D {
  if (maps.shape[0] !== rows * columns) {
    throw new RangeError(`${maps.shape[0]} pixels are not ${rows} lines of ${columns}.`);
  }
  const { kernel, recurrentKernel, bias, initialOutput, initialCell } = weights;
  const order = [
    native.intAttribute('columns', columns),
    native.boolAttribute('from_right', direction === 'right'),
  ];
  const inputs = [maps, kernel, recurrentKernel, bias, initialOutput, initialCell];
  const keep = gradientWanted();
  return differentiable<tf.Tensor3D, tf.Tensor[]>(inputs, {
    forward() {
      const attributes = [...order, native.boolAttribute('keep', keep)];
      const [value, gates, cells] = native.runOnTensors(
        'TeletrainDiagonalLSTM',
        attributes,
        inputs,
        3,
      ) as [tf.Tensor3D, tf.Tensor, tf.Tensor];
      if (keep) {
        const given = [maps, kernel, recurrentKernel, initialOutput, initialCell];
        return { value, saved: [...given, value, gates, cells] };
      }
      tf.dispose([gates, cells]);
      return { value, saved: [] };
    },
    gradient: (dy, saved) =>
      native.runOnTensors('TeletrainDiagonalLSTMGrad', order, [...saved, dy], 6),
  });
}
