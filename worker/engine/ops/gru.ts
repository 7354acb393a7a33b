import * as tf from '@tensorflow/tfjs-core';
import { chooseForLayer } from './choose.ts';
import { cudnnGru } from './cudnn-layers.ts';
import { fusedGru } from './fused-gru.ts';
import { recurrentForms } from './recurrent-forms.ts';
import type { GruOptions } from './recurrent-options.ts';
import type { GruWeights } from './recurrent-weights.ts';
import type { SequencePart, SequenceResults } from './sequence-results.ts';

// A GRU's state is its output alone.
const forms = recurrentForms(run, ([output]) => output as tf.Tensor2D);

/**
 * Keras' GRU with its default activations over whole sequences: h(t) = z · h(t-1) + (1 - z) · g, where
 * g = tanh(x(t) · W + b + r · (h(t-1) · U + recurrent b)) with `resetAfter` and
 * g = tanh(x(t) · W + b + (r · h(t-1)) · U) without. One operation each way by our own kernel
 * or, with `resetAfter`, by cuDNN; elsewhere plain operations for every timestep.
 *
 * @param inputs time-major, [timesteps, batch, features]
 * @returns every h(t), [timesteps, batch, units]
 */
export const gru = forms.outputs;

/** `gru`'s last h alone, [batch, units]; its gradient touches no other timestep's output. */
export const gruLastState = forms.lastState;

/** `gru` with its last h, [batch, units]; both have gradients. */
export const gruWithState = forms.withState;

function run<Part extends SequencePart>(
  inputs: tf.Tensor3D,
  weights: GruWeights,
  parts: readonly Part[],
  { resetAfter = true, initialState, implementation = 'best' }: GruOptions = {},
): Pick<SequenceResults, Part> {
  const state = initialState ?? tf.zeros([inputs.shape[1], weights.recurrentKernel.shape[0]]);
  const choice = resetAfter
    ? chooseForLayer('GRU', implementation, ['kernel', 'cudnn', 'composed'])
    : chooseForLayer('GRUResetBefore', implementation, ['kernel', 'composed']);
  switch (choice.name) {
    case 'kernel':
      return fusedGru(choice.native, inputs, weights, state, resetAfter, parts);
    case 'cudnn':
      return cudnnGru(choice.native, inputs, weights, state, parts);
    default:
      return composedGru(inputs, weights, state, resetAfter);
  }
}

/** The gradient is tfjs' own, which leaves out what nothing was made of. */
function composedGru(
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: GruWeights,
  initialState: tf.Tensor2D,
  resetAfter: boolean,
): SequenceResults {
  const [outputs, lastState] = tf.tidy(() => {
    const [timesteps, batch, features] = inputs.shape;
    const units = recurrentKernel.shape[0];
    const [inputBias, recurrentBias] = resetAfter
      ? tf.unstack(bias)
      : [bias, tf.zeros([3 * units])];
    const x: tf.Tensor2D = tf.reshape(inputs, [timesteps * batch, features]);
    const projected = tf.reshape(tf.add(tf.matMul(x, kernel), inputBias as tf.Tensor), [
      timesteps,
      batch,
      3 * units,
    ]);
    const candidateKernel = tf.slice(recurrentKernel, [0, 2 * units], [units, units]);
    let state: tf.Tensor2D = initialState;
    // tfjs has no gradient of an unstack that gives a single tensor.
    const steps = timesteps === 1 ? [tf.squeeze(projected, [0])] : tf.unstack(projected);
    const states = steps.map((step) => {
      const [inputZ, inputR, inputG] = tf.split(step, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const recurrent = tf.add(tf.matMul(state, recurrentKernel), recurrentBias as tf.Tensor);
      const [stateZ, stateR, stateG] = tf.split(recurrent, 3, 1) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const z = tf.sigmoid(tf.add(inputZ, stateZ));
      const r = tf.sigmoid(tf.add(inputR, stateR));
      const fromState = resetAfter
        ? tf.mul(r, stateG)
        : tf.matMul(tf.mul(r, state) as tf.Tensor2D, candidateKernel);
      const candidate = tf.tanh(tf.add(inputG, fromState));
      state = tf.add(tf.mul(z, state), tf.mul(tf.sub(1, z), candidate));
      return state;
    });
    return [tf.stack(states) as tf.Tensor3D, state] as const;
  });
  return { outputs, lastState: [lastState] };
}
