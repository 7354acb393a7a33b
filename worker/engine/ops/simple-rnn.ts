import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import { chooseForLayer, compute, type Implementation } from './choose.ts';
import { cudnnSimpleRnn } from './cudnn-layers.ts';
import { fusedSimpleRnn } from './fused-simple-rnn.ts';
import { addPresent, splitOutputGradients } from './output-gradients.ts';
import { recurrentForms } from './recurrent-forms.ts';
import type { RecurrentOptions } from './recurrent-options.ts';
import type { SimpleRnnWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequenceGradients,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

// A SimpleRNN's state is its output alone.
const forms = recurrentForms(run, ([output]) => output as tf.Tensor2D);

/**
 * h(t) = tanh(x(t) · kernel + bias + h(t-1) · recurrentKernel): Keras' SimpleRNN with its defaults,
 * over whole sequences. One operation each way by our own kernel or by cuDNN; elsewhere the product with
 * the inputs is one matrix product over all timesteps and a timestep costs three operations each way.
 *
 * @param inputs time-major, [timesteps, batch, features]
 * @returns every h(t), [timesteps, batch, units]
 */
export const simpleRnn = forms.outputs;

/** `simpleRnn`'s last h alone, [batch, units]; its gradient touches no other timestep's output. */
export const simpleRnnLastState = forms.lastState;

/** `simpleRnn` with its last h, [batch, units]; both have gradients. */
export const simpleRnnWithState = forms.withState;

function run<Part extends SequencePart>(
  inputs: tf.Tensor3D,
  weights: SimpleRnnWeights,
  parts: readonly Part[],
  { initialState, implementation = 'best' }: RecurrentOptions = {},
): Pick<SequenceResults, Part> {
  const state = initialState ?? tf.zeros([inputs.shape[1], weights.bias.shape[0]]);
  const choice = chooseForLayer('SimpleRNN', implementation, able);
  switch (choice.name) {
    case 'kernel':
      return fusedSimpleRnn(choice.native, inputs, weights, state, parts);
    case 'cudnn':
      return cudnnSimpleRnn(choice.native, inputs, weights, state, parts);
    default:
      return composedSimpleRnn(inputs, weights, state, choice.name, parts);
  }
}

const able = ['kernel', 'cudnn', 'operations', 'composed'] as const;

function composedSimpleRnn<Part extends SequencePart>(
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: SimpleRnnWeights,
  initialState: tf.Tensor2D,
  implementation: Implementation,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const [timesteps, batch, features] = inputs.shape;
  const units = bias.shape[0];
  const rows = timesteps * batch;
  const given = [inputs, kernel, recurrentKernel, bias, initialState];
  return differentiableSequence(given, parts, {
    forward() {
      const x: tf.Tensor2D = tf.reshape(inputs, [rows, features]);
      const projected: tf.Tensor2D = tf.add(tf.matMul(x, kernel), bias);
      const states = compute(implementation, (arithmetic) =>
        forward(arithmetic, projected, recurrentKernel, initialState, timesteps, batch),
      );
      const outputs: tf.Tensor3D = tf.reshape(states, [timesteps, batch, units]);
      return {
        results: { outputs, lastState: [tf.slice(states, [rows - batch, 0])] },
        saved: [x, kernel, recurrentKernel, initialState, states],
      };
    },
    gradient(dy, [x, kernel, recurrentKernel, initialState, states]) {
      const dz = compute(implementation, (arithmetic) =>
        backward(arithmetic, states, dy, recurrentKernel, timesteps, batch),
      );
      const before = tf.concat([initialState, tf.slice(states, 0, rows - batch)]);
      return [
        tf.reshape(tf.matMul(dz, kernel, false, true), [timesteps, batch, features]),
        tf.matMul(x, dz, true, false),
        tf.matMul(before, dz, true, false),
        tf.sum(dz, 0),
        tf.matMul(tf.slice(dz, 0, batch), recurrentKernel, false, true),
      ];
    },
  });
}

/** @returns the states, [timesteps · batch, units], from x · kernel + bias of the same shape. */
function forward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  projected: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  initialState: tf.Tensor2D,
  timesteps: number,
  batch: number,
): tf.Tensor2D {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const inputs = arithmetic.splitRows(
    arithmetic.fromTensor(projected),
    new Array<number>(timesteps).fill(batch),
  );
  const states: Matrix[] = [];
  let state = arithmetic.fromTensor(initialState);
  for (const input of inputs) {
    const recurrent = arithmetic.matMul(state, kernel);
    const sum = arithmetic.add(input, recurrent);
    state = arithmetic.tanh(sum);
    arithmetic.release(recurrent, sum);
    states.push(state);
  }
  const all = arithmetic.toTensor(arithmetic.concatRows(states));
  arithmetic.release(...inputs, ...states);
  return all;
}

/** @returns the gradient before the tanh, [timesteps · batch, units]. */
function backward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  states: tf.Tensor2D,
  dy: SequenceGradients,
  recurrentKernel: tf.Tensor2D,
  timesteps: number,
  batch: number,
): tf.Tensor2D {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const outputs = arithmetic.splitRows(
    arithmetic.fromTensor(states),
    new Array<number>(timesteps).fill(batch),
  );
  const direct = splitOutputGradients(arithmetic, dy, [timesteps, batch, states.shape[1]]);
  const dz: Matrix[] = [];
  for (const [index, output] of [...outputs.entries()].reverse()) {
    const later = dz.at(-1);
    const through = later === undefined ? undefined : arithmetic.matMul(later, kernel, false, true);
    const gradient = addPresent(arithmetic, [direct[index], through]);
    dz.push(arithmetic.tanhGradient(output, gradient));
    arithmetic.release(gradient);
  }
  const all = arithmetic.toTensor(arithmetic.concatRows(dz.reverse()));
  arithmetic.release(...outputs, ...dz);
  return all;
}
