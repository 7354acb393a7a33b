import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import { chooseKernels, compute, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import { fusedSimpleRnn } from './fused-simple-rnn.ts';
import type { SimpleRnnWeights } from './recurrent-weights.ts';

/**
 * h(t) = tanh(x(t) · kernel + bias + h(t-1) · recurrentKernel): Keras' SimpleRNN with its defaults,
 * over whole sequences. On the native engine's CPU one operation each way; elsewhere the product with
 * the inputs is one matrix product over all timesteps and a timestep costs three operations each way.
 *
 * @param inputs time-major, [timesteps, batch, features]
 * @param initialState h(-1), [batch, units]; absent where it is zero
 * @returns every h(t), [timesteps, batch, units]
 */
export function simpleRnn(
  inputs: tf.Tensor3D,
  weights: SimpleRnnWeights,
  implementation: Implementation = 'best',
  initialState?: tf.Tensor2D,
): tf.Tensor3D {
  const state = initialState ?? tf.zeros([inputs.shape[1], weights.bias.shape[0]]);
  const kernels = chooseKernels(implementation);
  return kernels
    ? fusedSimpleRnn(kernels, inputs, weights, state)
    : composedSimpleRnn(inputs, weights, state, implementation);
}

function composedSimpleRnn(
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: SimpleRnnWeights,
  initialState: tf.Tensor2D,
  implementation: Implementation,
): tf.Tensor3D {
  const [timesteps, batch, features] = inputs.shape;
  const units = bias.shape[0];
  const x: tf.Tensor2D = tf.reshape(inputs, [timesteps * batch, features]);
  const states = differentiable([x, kernel, recurrentKernel, bias, initialState], {
    forward() {
      const projected: tf.Tensor2D = tf.add(tf.matMul(x, kernel), bias);
      const value = compute(implementation, (arithmetic) =>
        forward(arithmetic, projected, recurrentKernel, initialState, timesteps, batch),
      );
      return { value, saved: [x, kernel, recurrentKernel, initialState, value] };
    },
    gradient(dy, [x, kernel, recurrentKernel, initialState, states]) {
      const dz = compute(implementation, (arithmetic) =>
        backward(arithmetic, states, dy, recurrentKernel, timesteps, batch),
      );
      const before = tf.concat([initialState, tf.slice(states, 0, (timesteps - 1) * batch)]);
      return [
        tf.matMul(dz, kernel, false, true),
        tf.matMul(x, dz, true, false),
        tf.matMul(before, dz, true, false),
        tf.sum(dz, 0),
        tf.matMul(tf.slice(dz, 0, batch), recurrentKernel, false, true),
      ];
    },
  });
  return tf.reshape(states, [timesteps, batch, units]);
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
  dy: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  timesteps: number,
  batch: number,
): tf.Tensor2D {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const sizes = new Array<number>(timesteps).fill(batch);
  const outputs = arithmetic.splitRows(arithmetic.fromTensor(states), sizes);
  const gradients = arithmetic.splitRows(arithmetic.fromTensor(dy), sizes);
  const dz: Matrix[] = [];
  let later: Matrix | undefined;
  for (const [index, output] of [...outputs.entries()].reverse()) {
    // As many gradients as outputs: both were split by the same sizes.
    const gradient = gradients[index] as Matrix;
    if (later === undefined) {
      later = arithmetic.tanhGradient(output, gradient);
    } else {
      const recurrent = arithmetic.matMul(later, kernel, false, true);
      const sum = arithmetic.add(gradient, recurrent);
      later = arithmetic.tanhGradient(output, sum);
      arithmetic.release(recurrent, sum);
    }
    dz.push(later);
  }
  const all = arithmetic.toTensor(arithmetic.concatRows(dz.reverse()));
  arithmetic.release(...outputs, ...gradients, ...dz);
  return all;
}
