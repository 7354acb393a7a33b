import * as tf from '@tensorflow/tfjs-core';
import { gradientWanted } from './choose.ts';
import { type CudnnMode, cudnnBackward, cudnnForward } from './cudnn-rnn.ts';
import { packGru, packLstm, packSimpleRnn } from './cudnn-weights.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { GruWeights, LstmState, LstmWeights, SimpleRnnWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

/** `simpleRnn` by cuDNN. */
export function cudnnSimpleRnn<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  weights: SimpleRnnWeights,
  initialState: tf.Tensor2D,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  return layer(native, 'rnn_tanh', [inputs, packSimpleRnn(weights), initialState], parts);
}

/** `lstm` by cuDNN. */
export function cudnnLstm<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  weights: LstmWeights,
  { output, cell }: LstmState,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  return layer(native, 'lstm', [inputs, packLstm(weights), output, cell], parts);
}

/** `gru` by cuDNN, which resets after the product with the state. */
export function cudnnGru<Part extends SequencePart>(
  native: NativeDispatch,
  inputs: tf.Tensor3D,
  weights: GruWeights,
  initialState: tf.Tensor2D,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  return layer(native, 'gru', [inputs, packGru(weights), initialState], parts);
}

type Given = [
  inputs: tf.Tensor3D,
  parameters: tf.Tensor1D,
  output: tf.Tensor2D,
  cell?: tf.Tensor2D,
];

function layer<Part extends SequencePart>(
  native: NativeDispatch,
  mode: CudnnMode,
  given: Given,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const tensors = given.filter((tensor) => tensor !== undefined);
  const state = given[2].shape;
  const keep = gradientWanted();
  return differentiableSequence<Part, tf.Tensor[]>(tensors, parts, {
    forward() {
      const { outputs, lastOutput, lastCell, reserved } = cudnnForward(
        native,
        mode,
        named(given),
        keep,
      );
      const last = mode === 'lstm' ? [lastOutput, lastCell] : [lastOutput];
      return {
        results: {
          outputs: outputs as tf.Tensor3D,
          lastState: last.map((tensor): tf.Tensor2D => tf.reshape(tensor, state)),
        },
        saved: keep ? [outputs, lastOutput, lastCell, ...reserved, ...tensors] : [],
      };
    },
    gradient(dy, saved) {
      const [outputs, lastOutput, lastCell, onDevice, onHost, ...again] = saved as [
        ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
        ...Given,
      ];
      const [ofOutput, ofCell] = dy.lastState ?? [];
      const gradients = cudnnBackward(
        native,
        mode,
        named(again),
        { outputs, lastOutput, lastCell, reserved: [onDevice, onHost] },
        {
          outputs: dy.outputs ?? tf.zerosLike(outputs),
          ...(ofOutput && { lastOutput: ofOutput }),
          ...(ofCell && { lastCell: ofCell }),
        },
      );
      const { inputs, parameters, output, cell } = gradients;
      return [inputs, parameters, output, ...(cell ? [cell] : [])];
    },
  });
}

const named = ([inputs, parameters, output, cell]: Given) => ({
  inputs,
  parameters,
  output,
  ...(cell && { cell }),
});
