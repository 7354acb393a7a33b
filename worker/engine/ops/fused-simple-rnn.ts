import type * as tf from '@tensorflow/tfjs-core';
import type { NativeDispatch } from './native-dispatch.ts';
import type { SimpleRnnWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

/** `simpleRnn` by our own kernel, one operation each way for the whole sequence. */
export function fusedSimpleRnn<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: SimpleRnnWeights,
  initialState: tf.Tensor2D,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const given = [inputs, kernel, recurrentKernel, bias, initialState];
  return differentiableSequence(given, parts, {
    forward() {
      const [outputs, lastState] = native.runOnTensors('TeletrainSimpleRNN', [], given, 2) as [
        tf.Tensor3D,
        tf.Tensor2D,
      ];
      return {
        results: { outputs, lastState: [lastState] },
        saved: [inputs, kernel, recurrentKernel, initialState, outputs],
      };
    },
    gradient: (dy, saved) =>
      native.runOnTensors(
        'TeletrainSimpleRNNGrad',
        [],
        [...saved, dy.outputs, dy.lastState?.[0]],
        5,
      ),
  });
}
