import * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import type { NativeDispatch, NativeTensor } from './native-dispatch.ts';
import type { LstmWeights } from './recurrent-weights.ts';

/** [timesteps, batch, features], [features + units, 4 · units], [4 · units] */
type Arguments = [inputs: tf.Tensor3D, kernels: tf.Tensor2D, bias: tf.Tensor1D];

/**
 * `lstm` by TensorFlow's BlockLSTMV2 and BlockLSTMGradV2, one operation each way for the whole
 * sequence. Their gates come in the order i, f, c, o and they have no forget bias of their own, so
 * Keras' weights fit as they are; kernel and recurrent kernel go in one below the other.
 */
export function blockLstm(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  weights: LstmWeights,
): tf.Tensor3D {
  const kernels = tf.concat([weights.kernel, weights.recurrentKernel], 0);
  const given: Arguments = [inputs, kernels, weights.bias];
  const [timesteps, batch] = inputs.shape;
  const units = weights.recurrentKernel.shape[0];
  const keep = gradientWanted();
  return differentiable<tf.Tensor3D, [...Arguments, ...tf.Tensor[]]>(given, {
    forward() {
      const attributes = [
        native.floatAttribute('cell_clip', 0),
        native.boolAttribute('use_peephole', false),
        native.floatType,
      ];
      const values = withArguments(native, given, (all) =>
        native.runMany('BlockLSTMV2', attributes, all, 7),
      ).map((value) => native.adopt(value));
      // The seventh of i, cs, f, o, ci, co, h.
      return { value: values[6] as tf.Tensor3D, saved: [...given, ...(keep ? values : [])] };
    },
    gradient(dy, [inputs, kernels, bias, ...values]) {
      const attributes = [native.boolAttribute('use_peephole', false), native.floatType];
      const more = [...values, tf.zeros([timesteps, batch, units]), dy];
      const gradients = withArguments(native, [inputs, kernels, bias], (all) =>
        native.runMany(
          'BlockLSTMGradV2',
          attributes,
          [...all, ...more.map((tensor) => native.borrow(tensor))],
          8,
        ),
      ).map((gradient) => native.adopt(gradient));
      // x, initial cell, initial output, kernels, three peepholes, bias.
      return [0, 3, 7].map((index) => gradients[index] as tf.Tensor);
    },
  });
}

/** Calls with what both operations take first: steps, x, zero states, kernels, peepholes, bias. */
function withArguments<Result>(
  native: NativeDispatch,
  [inputs, kernels, bias]: Arguments,
  call: (all: NativeTensor[]) => Result,
): Result {
  const units = bias.shape[0] / 4;
  const steps = native.int64(inputs.shape[0]);
  const state = native.borrow(tf.zeros([inputs.shape[1], units]));
  const peephole = native.borrow(tf.zeros([units]));
  try {
    return call([
      steps,
      native.borrow(inputs),
      state,
      state,
      native.borrow(kernels),
      peephole,
      peephole,
      peephole,
      native.borrow(bias),
    ]);
  } finally {
    native.release(steps);
  }
}
