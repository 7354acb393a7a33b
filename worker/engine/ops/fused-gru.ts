import * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { GruWeights } from './recurrent-weights.ts';

/** `gru` by our own kernel, one operation each way for the whole sequence. */
export function fusedGru(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: GruWeights,
  initialState: tf.Tensor2D,
  resetAfter: boolean,
): tf.Tensor3D {
  const order = native.boolAttribute('reset_after', resetAfter);
  const given = [inputs, kernel, recurrentKernel, bias, initialState];
  const keep = gradientWanted();
  return differentiable<tf.Tensor3D, tf.Tensor[]>(given, {
    forward() {
      const attributes = [order, native.boolAttribute('keep', keep)];
      const [value, gates] = native.runOnTensors('TeletrainGRU', attributes, given, 2) as [
        tf.Tensor3D,
        tf.Tensor,
      ];
      if (keep) {
        return { value, saved: [inputs, kernel, recurrentKernel, initialState, value, gates] };
      }
      gates.dispose();
      return { value, saved: [] };
    },
    gradient: (dy, saved) =>
      native.runOnTensors(
        'TeletrainGRUGrad',
        [order],
        [...saved, dy, tf.zerosLike(initialState)],
        5,
      ),
  });
}
