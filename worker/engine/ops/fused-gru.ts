import type * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { GruWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

/** `gru` by our own kernel, one operation each way for the whole sequence. */
export function fusedGru<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: GruWeights,
  initialState: tf.Tensor2D,
  resetAfter: boolean,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const order = native.boolAttribute('reset_after', resetAfter);
  const given = [inputs, kernel, recurrentKernel, bias, initialState];
  const keep = gradientWanted();
  return differentiableSequence<Part, tf.Tensor[]>(given, parts, {
    forward() {
      const attributes = [order, native.boolAttribute('keep', keep)];
      const [outputs, lastState, gates] = native.runOnTensors(
        'TeletrainGRU',
        attributes,
        given,
        3,
      ) as [tf.Tensor3D, tf.Tensor2D, tf.Tensor];
      return {
        results: { outputs, lastState: [lastState] },
        saved: [inputs, kernel, recurrentKernel, initialState, outputs, gates],
      };
    },
    gradient: (dy, saved) =>
      native.runOnTensors(
        'TeletrainGRUGrad',
        [order],
        [...saved, dy.outputs, dy.lastState?.[0]],
        5,
      ),
  });
}
