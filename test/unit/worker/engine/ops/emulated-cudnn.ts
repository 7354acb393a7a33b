import * as tf from '@tensorflow/tfjs-core';
import { vi } from 'vitest';
import {
  type NativeAttribute,
  NativeDispatch,
  type NativeTensor,
} from '../../../../../worker/engine/ops/native-dispatch.ts';

/** What TensorFlow's operation registry says that each operation has. */
const definitions = {
  CudnnRNNParamsSize: {
    inputs: 3,
    outputs: 1,
    attributes: [
      'S',
      'T',
      'direction',
      'dropout',
      'input_mode',
      'num_proj',
      'rnn_mode',
      'seed',
      'seed2',
    ],
  },
  CudnnRNNV3: {
    inputs: 5,
    outputs: 5,
    attributes: [
      ...['T', 'direction', 'dropout', 'input_mode', 'is_training', 'num_proj', 'rnn_mode'],
      ...['seed', 'seed2', 'time_major'],
    ],
  },
  CudnnRNNBackpropV3: {
    inputs: 13,
    outputs: 4,
    attributes: [
      ...['T', 'direction', 'dropout', 'input_mode', 'num_proj', 'rnn_mode', 'seed', 'seed2'],
      'time_major',
    ],
  },
} as const;

/**
 * Lets TensorFlow's cuDNN operations be called on a machine without a GPU: computed here from what
 * NVIDIA's documentation says of cudnnRNNForward (formulas of each cell, order of its gates and of
 * its parameters, two biases a gate), with tfjs' own gradients, and refused where a call does not
 * fit the operation's definition.
 *
 * @returns what gives the operations back
 */
export function emulateCudnn(): { restore(): void } {
  const real = NativeDispatch.prototype.runMany;
  const spy = vi.spyOn(NativeDispatch.prototype, 'runMany').mockImplementation(function (
    this: NativeDispatch,
    name,
    attributes,
    inputs,
    outputs,
  ) {
    if (!(name in definitions)) return real.call(this, name, attributes, inputs, outputs);
    expectDefinition(name as keyof typeof definitions, attributes, inputs, outputs);
    const values = Object.fromEntries(attributes.map(({ name, value }) => [name, value]));
    // The identity's result is a handle of its own, which tfjs may dispose.
    const given = inputs.map((input) => copyOf(this, real, input));
    const results = tf.tidy(() => besideTheTape(() => compute(name, values, given)));
    const natives = results.map((result) => handleOf(this, real, result));
    // A result may be an argument.
    tf.dispose([...new Set([...results, ...given])]);
    return natives;
  });
  return { restore: () => spy.mockRestore() };
}

/** tfjs forgets the tape it goes back along when gradients are taken meanwhile. */
function besideTheTape<Result>(compute: () => Result): Result {
  const { state } = tf.engine();
  const tape = state.activeTape;
  const result = compute();
  state.activeTape = tape;
  return result;
}

type RunMany = NativeDispatch['runMany'];

function expectDefinition(
  name: keyof typeof definitions,
  attributes: readonly NativeAttribute[],
  inputs: readonly NativeTensor[],
  outputs: number,
) {
  const definition = definitions[name];
  const names = attributes.map((attribute) => attribute.name).sort();
  if (
    names.join() !== [...definition.attributes].sort().join() ||
    inputs.length !== definition.inputs ||
    outputs !== definition.outputs
  ) {
    throw new Error(
      `${name} is not called so: ${names}; ${inputs.length} inputs, ${outputs} outputs`,
    );
  }
}

function copyOf(native: NativeDispatch, real: RunMany, input: NativeTensor): tf.Tensor {
  const type = native.typeAttribute('T', input.dtype === 3 ? 'int32' : 'float32');
  const [copy] = real.call(native, 'Identity', [type], [input], 1);
  return native.adopt(copy as NativeTensor);
}

function handleOf(native: NativeDispatch, real: RunMany, tensor: tf.Tensor): NativeTensor {
  const type = native.typeAttribute('T', tensor.dtype === 'int32' ? 'int32' : 'float32');
  const [handle] = real.call(native, 'Identity', [type], [native.borrow(tensor)], 1);
  return handle as NativeTensor;
}

function compute(
  name: string,
  attributes: Record<string, unknown>,
  given: readonly tf.Tensor[],
): tf.Tensor[] {
  const cell = cells[attributes.rnn_mode as keyof typeof cells];
  if (name === 'CudnnRNNParamsSize') {
    const [, units, features] = given.map((tensor) => tensor.dataSync()[0] as number) as number[];
    const size = cell.gates * (units as number) * ((features as number) + (units as number) + 2);
    return [tf.tensor1d([size], 'int32')];
  }
  const [inputs, h, c, parameters, lengths] = given as [
    ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
  ];
  const [timesteps, batch] = inputs.shape as [number, number];
  if ([...lengths.dataSync()].join() !== new Array(batch).fill(timesteps).join()) {
    throw new Error('The lengths are not those of the sequences.');
  }
  const forward = (...[inputs, h, c, parameters]: tf.Tensor[]) =>
    sequence(cell, inputs as tf.Tensor, h as tf.Tensor, c as tf.Tensor, parameters as tf.Tensor);
  const arguments_ = [inputs, h, c, parameters];
  const results = forward(...arguments_);
  const lstm = attributes.rnn_mode === 'lstm';
  if (name === 'CudnnRNNV3') {
    // What an operation keeps that is not in training is without meaning.
    const kept = attributes.is_training === true ? tf.tensor1d([1, 2]) : tf.scalar(0);
    return [...results, kept, tf.scalar(0)];
  }
  const [outputs, lastH, lastC, dOutputs, dLastH, dLastC, onDevice] = given.slice(5) as [
    ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
  ];
  if (onDevice.size !== 2) throw new Error('The forward computation kept nothing.');
  for (const [place, result] of [outputs, lastH, ...(lstm ? [lastC] : [])].entries()) {
    const expected = results[place] as tf.Tensor;
    if (
      !tf
        .max(tf.abs(tf.sub(result, expected)))
        .dataSync()
        .every((value) => value < 1e-6)
    ) {
      throw new Error(
        'The results given to the gradient are not those of the forward computation.',
      );
    }
  }
  const weighted = (...all: tf.Tensor[]) => {
    const [y, hy, cy] = forward(...all) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const terms = [tf.sum(tf.mul(y, dOutputs)), tf.sum(tf.mul(hy, dLastH))];
    return tf.addN(lstm ? [...terms, tf.sum(tf.mul(cy, dLastC))] : terms) as tf.Scalar;
  };
  if (lstm) return tf.grads(weighted)(arguments_);
  const withoutCell = (...[inputs, h, parameters]: tf.Tensor[]) =>
    weighted(inputs as tf.Tensor, h as tf.Tensor, c, parameters as tf.Tensor);
  const [dInputs, dh, dParameters] = tf.grads(withoutCell)([inputs, h, parameters]) as [
    ...[tf.Tensor, tf.Tensor, tf.Tensor],
  ];
  return [dInputs, dh, tf.scalar(0), dParameters];
}

interface Cell {
  readonly gates: number;
  /** h and c from W·x + bW and R·h + bR of each gate. */
  step(fromInput: tf.Tensor[], fromState: tf.Tensor[], h: tf.Tensor, c: tf.Tensor): tf.Tensor[];
}

const cells: Record<'rnn_tanh' | 'lstm' | 'gru', Cell> = {
  rnn_tanh: {
    gates: 1,
    step: ([w], [r], _, c) => [tf.tanh(tf.add(w as tf.Tensor, r as tf.Tensor)), c],
  },
  // linLayerID 0 to 3: input gate, forget gate, new memory, output gate.
  lstm: {
    gates: 4,
    step(w, r, _, c) {
      const [i, f, n, o] = w.map((value, gate) => tf.add(value, r[gate] as tf.Tensor)) as [
        ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
      ];
      const cell = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(n)));
      return [tf.mul(tf.sigmoid(o), tf.tanh(cell)), cell];
    },
  },
  // linLayerID 0 to 2: reset gate, update gate, new memory.
  gru: {
    gates: 3,
    step(w, r, h, c) {
      const [wr, wi, wn] = w as [tf.Tensor, tf.Tensor, tf.Tensor];
      const [rr, ri, rn] = r as [tf.Tensor, tf.Tensor, tf.Tensor];
      const reset = tf.sigmoid(tf.add(wr, rr));
      const update = tf.sigmoid(tf.add(wi, ri));
      const memory = tf.tanh(tf.add(wn, tf.mul(reset, rn)));
      return [tf.add(tf.mul(tf.sub(1, update), memory), tf.mul(update, h)), c];
    },
  },
};

function sequence(
  cell: Cell,
  inputs: tf.Tensor,
  h: tf.Tensor,
  c: tf.Tensor,
  parameters: tf.Tensor,
) {
  const [timesteps, batch, features] = inputs.shape as [number, number, number];
  const units = h.shape[2] as number;
  let place = 0;
  const next = (...shape: number[]) => {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    const part = tf.reshape(tf.slice(parameters, place, size), shape);
    place += size;
    return part;
  };
  const gates = Array.from({ length: cell.gates });
  const w = gates.map(() => next(units, features) as tf.Tensor2D);
  const r = gates.map(() => next(units, units) as tf.Tensor2D);
  const bW = gates.map(() => next(units));
  const bR = gates.map(() => next(units));
  const product = (x: tf.Tensor, kernel: tf.Tensor2D | undefined, bias: tf.Tensor | undefined) =>
    tf.add(tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D, false, true), bias as tf.Tensor);
  let state = tf.reshape(h, [batch, units]);
  let memory = c.size === 1 && c.rank === 0 ? c : tf.reshape(c, [batch, units]);
  const outputs = Array.from({ length: timesteps }, (_, t) => {
    const x = tf.reshape(tf.slice(inputs, [t, 0, 0], [1, batch, features]), [batch, features]);
    const fromInput = gates.map((_, gate) => product(x, w[gate], bW[gate]));
    const fromState = gates.map((_, gate) => product(state, r[gate], bR[gate]));
    [state, memory] = cell.step(fromInput, fromState, state, memory) as [tf.Tensor, tf.Tensor];
    return tf.expandDims(state);
  });
  const last = (tensor: tf.Tensor) => (tensor.rank === 0 ? tensor : tf.expandDims(tensor));
  return [
    outputs.length === 1 ? (outputs[0] as tf.Tensor) : tf.concat(outputs),
    last(state),
    last(memory),
  ];
}
