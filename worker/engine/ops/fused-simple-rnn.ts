import * as tf from '@tensorflow/tfjs-core';
import { differentiable } from './custom-gradient.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { SimpleRnnWeights } from './recurrent-weights.ts';

/** `simpleRnn` by our own kernel, one operation each way for the whole sequence. */
export function fusedSimpleRnn(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: SimpleRnnWeights,
  initialState: tf.Tensor2D,
): tf.Tensor3D {
  return differentiable([inputs, kernel, recurrentKernel, bias, initialState], {
    forward() {
      const given = [inputs, kernel, recurrentKernel, bias, initialState];
      const [value] = native.runOnTensors('TeletrainSimpleRNN', [], given, 1) as [tf.Tensor3D];
      return { value, saved: [inputs, kernel, recurrentKernel, initialState, value] };
    },
    gradient: (dy, saved) =>
      native.runOnTensors(
        'TeletrainSimpleRNNGrad',
        [],
        [...saved, dy, tf.zerosLike(initialState)],
        5,
      ),
  });
}
