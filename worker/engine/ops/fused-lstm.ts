import * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { LstmWeights } from './recurrent-weights.ts';

/** `lstm` by our own kernel, one operation each way for the whole sequence. */
export function fusedLstm(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: LstmWeights,
): tf.Tensor3D {
  const [, batch] = inputs.shape;
  const state = tf.zeros([batch, recurrentKernel.shape[0]]);
  const keep = gradientWanted();
  return differentiable<tf.Tensor3D, tf.Tensor[]>([inputs, kernel, recurrentKernel, bias], {
    forward() {
      const [value, lastCell, gates, cells] = native.runOnTensors(
        'TeletrainLSTM',
        [native.boolAttribute('keep', keep)],
        [inputs, kernel, recurrentKernel, bias, state, state],
        4,
      ) as [tf.Tensor3D, tf.Tensor, tf.Tensor, tf.Tensor];
      lastCell.dispose();
      if (keep) {
        return { value, saved: [inputs, kernel, recurrentKernel, value, gates, cells] };
      }
      tf.dispose([gates, cells]);
      return { value, saved: [] };
    },
    gradient(dy, saved) {
      const [inputs, kernel, recurrentKernel, outputs, gates, cells] = saved as [
        ...[tf.Tensor, tf.Tensor, tf.Tensor],
        ...[tf.Tensor, tf.Tensor, tf.Tensor],
      ];
      const zero = tf.zeros([batch, recurrentKernel.shape[0] as number]);
      const gradients = native.runOnTensors(
        'TeletrainLSTMGrad',
        [],
        [inputs, kernel, recurrentKernel, zero, zero, outputs, gates, cells, dy, zero, zero],
        6,
      );
      return gradients.slice(0, 4);
    },
  });
}
