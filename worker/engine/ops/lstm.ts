import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import { blockLstm } from './block-lstm.ts';
import {
  chooseKernels,
  chooseNative,
  compute,
  gradientWanted,
  type Implementation,
} from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import { fusedLstm } from './fused-lstm.ts';
import { type LstmCellValues, lstmCell, lstmCellGradient } from './lstm-cell.ts';
import {
  joinOutputs,
  joinSteps,
  releaseStep,
  sequenceFromTensors,
  sequenceToTensors,
  splitSteps,
} from './lstm-sequence.ts';
import type { LstmWeights } from './recurrent-weights.ts';

/**
 * Keras' LSTM with its defaults (sigmoid gates, tanh candidate and output, zero initial states) over
 * whole sequences: one operation natively, one matrix product over all timesteps and a composed
 * recurrence elsewhere.
 *
 * @param inputs time-major, [timesteps, batch, features]
 * @returns every h(t), [timesteps, batch, units]
 */
export function lstm(
  inputs: tf.Tensor3D,
  weights: LstmWeights,
  implementation: Implementation = 'best',
): tf.Tensor3D {
  const kernels = chooseKernels(implementation);
  if (kernels) return fusedLstm(kernels, inputs, weights);
  const native = chooseNative(implementation);
  return native ? blockLstm(native, inputs, weights) : composedLstm(inputs, weights);
}

type SavedTensors = [
  x: tf.Tensor2D,
  kernel: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  ...tf.Tensor[],
];

function composedLstm(inputs: tf.Tensor3D, weights: LstmWeights): tf.Tensor3D {
  const [timesteps, batch, features] = inputs.shape;
  const { kernel, recurrentKernel, bias } = weights;
  const units = recurrentKernel.shape[0];
  const rows = new Array<number>(timesteps).fill(batch);
  const keep = gradientWanted();
  const x: tf.Tensor2D = tf.reshape(inputs, [timesteps * batch, features]);
  const outputs = differentiable<tf.Tensor2D, SavedTensors>([x, kernel, recurrentKernel, bias], {
    forward() {
      const projected: tf.Tensor2D = tf.add(tf.matMul(x, kernel), bias);
      return compute('composed', (arithmetic) => {
        const steps = forward(arithmetic, projected, recurrentKernel, rows);
        if (!keep) {
          return { value: joinOutputs(arithmetic, steps), saved: [x, kernel, recurrentKernel] };
        }
        const sequence = joinSteps(arithmetic, steps);
        return {
          value: sequence.output,
          saved: [x, kernel, recurrentKernel, ...sequenceToTensors(sequence)],
        };
      });
    },
    gradient(dy, [x, kernel, recurrentKernel, ...tensors]) {
      const sequence = sequenceFromTensors(tensors);
      const dz = compute('composed', (arithmetic) =>
        backward(arithmetic, splitSteps(arithmetic, sequence, rows), dy, recurrentKernel, rows),
      );
      const before = tf.slice(sequence.output, 0, (timesteps - 1) * batch);
      const after = tf.slice(dz, batch);
      return [
        tf.matMul(dz, kernel, false, true),
        tf.matMul(x, dz, true, false),
        tf.matMul(before, after, true, false),
        tf.sum(dz, 0),
      ];
    },
  });
  return tf.reshape(outputs, [timesteps, batch, units]);
}

/** @param projected x · kernel + bias, [timesteps · batch, 4 · units] */
function forward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  projected: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  rows: readonly number[],
): LstmCellValues<Matrix>[] {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const inputs = arithmetic.splitRows(arithmetic.fromTensor(projected), rows);
  const steps: LstmCellValues<Matrix>[] = [];
  for (const input of inputs) {
    const previous = steps.at(-1);
    if (previous === undefined) {
      steps.push(lstmCell(arithmetic, input, undefined));
    } else {
      const recurrent = arithmetic.matMul(previous.output, kernel);
      const gates = arithmetic.add(input, recurrent);
      steps.push(lstmCell(arithmetic, gates, previous.cell));
      arithmetic.release(recurrent, gates);
    }
  }
  arithmetic.release(...inputs);
  return steps;
}

/** @returns the gradient of `projected`; releases the steps. */
function backward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  steps: readonly LstmCellValues<Matrix>[],
  dy: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  rows: readonly number[],
): tf.Tensor2D {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const outputGradients = arithmetic.splitRows(arithmetic.fromTensor(dy), rows);
  const dz: Matrix[] = [];
  let later: { readonly gates: Matrix; readonly previousCell: Matrix } | undefined;
  for (const [index, step] of [...steps.entries()].reverse()) {
    // As many as steps: both were split by the same rows.
    let output = outputGradients[index] as Matrix;
    if (later !== undefined) {
      const recurrent = arithmetic.matMul(later.gates, kernel, false, true);
      const direct = output;
      output = arithmetic.add(direct, recurrent);
      arithmetic.release(direct, recurrent);
    }
    const here = lstmCellGradient(
      arithmetic,
      step,
      steps[index - 1]?.cell,
      output,
      later?.previousCell,
    );
    arithmetic.release(output);
    if (later !== undefined) {
      arithmetic.release(later.previousCell);
    }
    dz.push(here.gates);
    later = here;
  }
  if (later !== undefined) {
    arithmetic.release(later.previousCell);
  }
  const all = arithmetic.toTensor(arithmetic.concatRows(dz.reverse()));
  arithmetic.release(...dz);
  for (const step of steps) {
    releaseStep(arithmetic, step);
  }
  return all;
}
