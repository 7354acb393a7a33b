import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import { blockLstm } from './block-lstm.ts';
import { chooseForLayer, compute, gradientWanted, type Implementation } from './choose.ts';
import { cudnnLstm } from './cudnn-layers.ts';
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
import { addPresent, splitOutputGradients } from './output-gradients.ts';
import { recurrentForms } from './recurrent-forms.ts';
import type { RecurrentOptions } from './recurrent-options.ts';
import type { LstmState, LstmWeights } from './recurrent-weights.ts';
import {
  differentiableSequence,
  type SequenceGradients,
  type SequencePart,
  type SequenceResults,
} from './sequence-results.ts';

const forms = recurrentForms(run, (lastState): LstmState => {
  // An LSTM's state is its output and its cell.
  const [output, cell] = lastState as [tf.Tensor2D, tf.Tensor2D];
  return { output, cell };
});

/**
 * Keras' LSTM with its defaults (sigmoid gates, tanh candidate and output) over whole sequences. One
 * operation each way by our own kernel, by cuDNN or by TensorFlow's BlockLSTMV2; elsewhere one matrix
 * product over all timesteps and a composed recurrence.
 *
 * @param inputs time-major, [timesteps, batch, features]
 * @returns every h(t), [timesteps, batch, units]
 */
export const lstm = forms.outputs;

/** `lstm`'s last h and cell alone; their gradient touches no other timestep's output. */
export const lstmLastState = forms.lastState;

/** `lstm` with its last h and cell; all have gradients. */
export const lstmWithState = forms.withState;

function run<Part extends SequencePart>(
  inputs: tf.Tensor3D,
  weights: LstmWeights,
  parts: readonly Part[],
  { initialState, implementation = 'best' }: RecurrentOptions<LstmState> = {},
): Pick<SequenceResults, Part> {
  const shape: [number, number] = [inputs.shape[1], weights.recurrentKernel.shape[0]];
  const state = initialState ?? { output: tf.zeros(shape), cell: tf.zeros(shape) };
  const choice = chooseForLayer('LSTM', implementation, able);
  switch (choice.name) {
    case 'kernel':
      return fusedLstm(choice.native, inputs, weights, state, parts);
    case 'cudnn':
      return cudnnLstm(choice.native, inputs, weights, state, parts);
    case 'block':
      return blockLstm(choice.native, inputs, weights, state, parts);
    default:
      return composedLstm(inputs, weights, state, choice.name, parts);
  }
}

const able = ['kernel', 'cudnn', 'block', 'operations', 'composed'] as const;

type SavedTensors = [
  x: tf.Tensor2D,
  kernel: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  output: tf.Tensor2D,
  cell: tf.Tensor2D,
  ...tf.Tensor[],
];

function composedLstm<Part extends SequencePart>(
  inputs: tf.Tensor3D,
  { kernel, recurrentKernel, bias }: LstmWeights,
  initialState: LstmState,
  implementation: Implementation,
  parts: readonly Part[],
): Pick<SequenceResults, Part> {
  const [timesteps, batch, features] = inputs.shape;
  const units = recurrentKernel.shape[0];
  const rows = timesteps * batch;
  const { output, cell } = initialState;
  const given = [inputs, kernel, recurrentKernel, bias, output, cell];
  const keep = gradientWanted();
  return differentiableSequence<Part, SavedTensors>(given, parts, {
    forward() {
      const x: tf.Tensor2D = tf.reshape(inputs, [rows, features]);
      const projected: tf.Tensor2D = tf.add(tf.matMul(x, kernel), bias);
      const { all, outputs, lastCell } = compute(implementation, (arithmetic) => {
        const steps = forward(arithmetic, projected, recurrentKernel, initialState, timesteps);
        // A sequence has a timestep.
        const last = steps.at(-1) as (typeof steps)[number];
        const lastCell = arithmetic.toTensor(arithmetic.addAll([last.cell]));
        if (!keep) return { outputs: joinOutputs(arithmetic, steps), all: [], lastCell };
        const sequence = joinSteps(arithmetic, steps);
        return { outputs: sequence.output, all: sequenceToTensors(sequence), lastCell };
      });
      return {
        results: {
          outputs: tf.reshape(outputs, [timesteps, batch, units]),
          lastState: [tf.slice(outputs, [rows - batch, 0]), lastCell],
        },
        saved: [x, kernel, recurrentKernel, output, cell, ...all],
      };
    },
    gradient(dy, [x, kernel, recurrentKernel, output, cell, ...tensors]) {
      const sequence = sequenceFromTensors(tensors);
      const { dz, initialCell } = compute(implementation, (arithmetic) => {
        const steps = splitSteps(arithmetic, sequence, new Array<number>(timesteps).fill(batch));
        return backward(arithmetic, steps, dy, recurrentKernel, cell, [timesteps, batch, units]);
      });
      const before = tf.concat([output, tf.slice(sequence.output, 0, rows - batch)]);
      return [
        tf.reshape(tf.matMul(dz, kernel, false, true), [timesteps, batch, features]),
        tf.matMul(x, dz, true, false),
        tf.matMul(before, dz, true, false),
        tf.sum(dz, 0),
        tf.matMul(tf.slice(dz, 0, batch), recurrentKernel, false, true),
        initialCell,
      ];
    },
  });
}

/** @param projected x · kernel + bias, [timesteps · batch, 4 · units] */
function forward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  projected: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  initialState: LstmState,
  timesteps: number,
): LstmCellValues<Matrix>[] {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const sizes = new Array<number>(timesteps).fill(initialState.cell.shape[0]);
  const inputs = arithmetic.splitRows(arithmetic.fromTensor(projected), sizes);
  const steps: LstmCellValues<Matrix>[] = [];
  let output = arithmetic.fromTensor(initialState.output);
  let cell = arithmetic.fromTensor(initialState.cell);
  for (const input of inputs) {
    const recurrent = arithmetic.matMul(output, kernel);
    const gates = arithmetic.add(input, recurrent);
    const step = lstmCell(arithmetic, gates, cell);
    arithmetic.release(recurrent, gates);
    steps.push(step);
    ({ output, cell } = step);
  }
  arithmetic.release(...inputs);
  return steps;
}

/** @returns the gradients of `projected` and of the initial cell; releases the steps. */
function backward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  steps: readonly LstmCellValues<Matrix>[],
  dy: SequenceGradients,
  recurrentKernel: tf.Tensor2D,
  initialCell: tf.Tensor2D,
  size: readonly [timesteps: number, batch: number, units: number],
): { readonly dz: tf.Tensor2D; readonly initialCell: tf.Tensor2D } {
  const kernel = arithmetic.fromTensor(recurrentKernel);
  const direct = splitOutputGradients(arithmetic, dy, size);
  const dz: Matrix[] = [];
  const lastCell = dy.lastState?.[1];
  // Of the cell through what followed; absent where it is zero.
  let toCell = lastCell && arithmetic.addAll([arithmetic.fromTensor(lastCell)]);
  for (const [index, step] of [...steps.entries()].reverse()) {
    const later = dz.at(-1);
    const through = later === undefined ? undefined : arithmetic.matMul(later, kernel, false, true);
    const output = addPresent(arithmetic, [direct[index], through]);
    const previousCell = steps[index - 1]?.cell ?? arithmetic.fromTensor(initialCell);
    const here = lstmCellGradient(arithmetic, step, previousCell, output, toCell);
    arithmetic.release(output);
    if (toCell !== undefined) arithmetic.release(toCell);
    dz.push(here.gates);
    toCell = here.previousCell;
  }
  const all = arithmetic.toTensor(arithmetic.concatRows(dz.reverse()));
  arithmetic.release(...dz);
  for (const step of steps) {
    releaseStep(arithmetic, step);
  }
  // A sequence has a timestep.
  return { dz: all, initialCell: arithmetic.toTensor(toCell as Matrix) };
}
