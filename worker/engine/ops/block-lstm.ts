import * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import type { NativeDispatch, NativeTensor } from './native-dispatch.ts';
import type { LstmState, LstmWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

/** [timesteps, batch, features], [features + units, 4 · units], [4 · units], two of [batch, units] */
type Arguments = [
  inputs: tf.Tensor3D,
  kernels: tf.Tensor2D,
  bias: tf.Tensor1D,
  output: tf.Tensor2D,
  cell: tf.Tensor2D,
];

/**
 * `lstm` by TensorFlow's BlockLSTMV2 and BlockLSTMGradV2, one operation each way for the whole
 * sequence. Their gates come in the order i, f, c, o and they have no forget bias of their own, so
 * Keras' weights fit as they are; kernel and recurrent kernel go in one below the other. They take the
 * gradients of all outputs and all cells, so those that are zero have to be made.
 */
export function blockLstm<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  weights: LstmWeights,
  { output, cell }: LstmState,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const kernels = tf.concat([weights.kernel, weights.recurrentKernel], 0);
  const given: Arguments = [inputs, kernels, weights.bias, output, cell];
  const [timesteps, batch] = inputs.shape;
  const units = weights.recurrentKernel.shape[0];
  const last = (all: tf.Tensor): tf.Tensor2D =>
    tf.reshape(tf.slice(all, [timesteps - 1, 0, 0]), [batch, units]);
  const allButLast = (state: tf.Tensor2D | undefined): tf.Tensor =>
    state === undefined
      ? tf.zeros([timesteps, batch, units])
      : tf.pad(tf.expandDims(state), [
          [timesteps - 1, 0],
          [0, 0],
          [0, 0],
        ]);
  const keep = gradientWanted();
  return differentiableSequence<Part, [...Arguments, ...tf.Tensor[]]>(given, parts, {
    forward() {
      const attributes = [
        native.floatAttribute('cell_clip', 0),
        native.boolAttribute('use_peephole', false),
        native.floatType,
      ];
      const values = withArguments(native, given, (all) =>
        native.runMany('BlockLSTMV2', attributes, all, 7),
      ).map((value) => native.adopt(value));
      // i, cs, f, o, ci, co, h.
      const [, cells, , , , , outputs] = values as [
        ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
        tf.Tensor3D,
      ];
      return {
        results: { outputs, lastState: [last(outputs), last(cells)] },
        saved: [...given, ...(keep ? values : [])],
      };
    },
    gradient(dy, [inputs, kernels, bias, output, cell, ...values]) {
      const attributes = [native.boolAttribute('use_peephole', false), native.floatType];
      const atEnd = allButLast(dy.lastState?.[0]);
      const outputs = dy.outputs === undefined ? atEnd : tf.add(dy.outputs, atEnd);
      const more = [...values, allButLast(dy.lastState?.[1]), outputs];
      const gradients = withArguments(native, [inputs, kernels, bias, output, cell], (all) =>
        native.runMany(
          'BlockLSTMGradV2',
          attributes,
          [...all, ...more.map((tensor) => native.borrow(tensor))],
          8,
        ),
      ).map((gradient) => native.adopt(gradient));
      // x, initial cell, initial output, kernels, three peepholes, bias.
      return [0, 3, 7, 2, 1].map((index) => gradients[index] as tf.Tensor);
    },
  });
}

/** Calls with what both operations take first: steps, x, initial states, kernels, peepholes, bias. */
function withArguments<Result>(
  native: NativeDispatch,
  [inputs, kernels, bias, output, cell]: Arguments,
  call: (all: NativeTensor[]) => Result,
): Result {
  const units = bias.shape[0] / 4;
  const steps = native.int64(inputs.shape[0]);
  const peephole = native.borrow(tf.zeros([units]));
  try {
    return call([
      steps,
      native.borrow(inputs),
      native.borrow(cell),
      native.borrow(output),
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
