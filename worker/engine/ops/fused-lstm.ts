import type * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { LstmState, LstmWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

/** `lstm` by our own kernel, one operation each way for the whole sequence. */
export function fusedLstm<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: LstmWeights,
  { output, cell }: LstmState,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const given = [inputs, kernel, recurrentKernel, bias, output, cell];
  const keep = gradientWanted();
  return differentiableSequence<Part, tf.Tensor[]>(given, parts, {
    forward() {
      const [outputs, lastOutput, lastCell, gates, cells] = native.runOnTensors(
        'TeletrainLSTM',
        [native.boolAttribute('keep', keep)],
        given,
        5,
      ) as [tf.Tensor3D, tf.Tensor2D, tf.Tensor2D, tf.Tensor, tf.Tensor];
      return {
        results: { outputs, lastState: [lastOutput, lastCell] },
        saved: [inputs, kernel, recurrentKernel, output, cell, outputs, gates, cells],
      };
    },
    gradient: (dy, saved) =>
      native.runOnTensors(
        'TeletrainLSTMGrad',
        [],
        [...saved, dy.outputs, dy.lastState?.[0], dy.lastState?.[1]],
        6,
      ),
  });
}
