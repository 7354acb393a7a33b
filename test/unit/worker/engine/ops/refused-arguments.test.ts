import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { nativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';

const [timesteps, batch, features, units] = [6, 2, 4, 5];

/** A right call, its arguments' shapes in their order. */
interface Call {
  readonly arguments: Readonly<Record<string, readonly number[]>>;
  readonly attributes?: Readonly<Record<string, boolean | number>>;
  readonly outputs: number;
  /** Arguments that may be left out, as an empty tensor. */
  readonly optional?: readonly string[];
}

const inputs = [timesteps, batch, features];
const ofEveryStep = (width: number) => [timesteps, batch, width];
const state = [batch, units];

function kernels(gates: number, upper = 1) {
  return { kernel: [features, gates * units], recurrent_kernel: [upper * units, gates * units] };
}

function gruCalls(resetAfter: boolean): Record<string, Call> {
  const attributes = { reset_after: resetAfter };
  const bias = resetAfter ? [2, 3 * units] : [3 * units];
  const suffix = resetAfter ? ' resetting after' : ' resetting before';
  return {
    [`TeletrainGRU${suffix}`]: {
      arguments: { inputs, ...kernels(3), bias, initial_state: state },
      attributes: { ...attributes, keep: true },
      outputs: 3,
    },
    [`TeletrainGRUGrad${suffix}`]: {
      arguments: {
        inputs,
        ...kernels(3),
        initial_state: state,
        outputs: ofEveryStep(units),
        gates: ofEveryStep(4 * units),
        outputs_gradient: ofEveryStep(units),
        last_state_gradient: state,
      },
      attributes,
      outputs: 5,
      optional: ['outputs_gradient', 'last_state_gradient'],
    },
  };
}

const outside = { initial_output: [units], initial_cell: [units] };
const lstmStates = { initial_state: state, initial_cell: state };
const calls: Record<string, Call> = {
  TeletrainSimpleRNN: {
    arguments: { inputs, ...kernels(1), bias: [units], initial_state: state },
    outputs: 2,
  },
  TeletrainSimpleRNNGrad: {
    arguments: {
      inputs,
      ...kernels(1),
      initial_state: state,
      outputs: ofEveryStep(units),
      outputs_gradient: ofEveryStep(units),
      last_state_gradient: state,
    },
    outputs: 5,
    optional: ['outputs_gradient', 'last_state_gradient'],
  },
  TeletrainLSTM: {
    arguments: { inputs, ...kernels(4), bias: [4 * units], ...lstmStates },
    attributes: { keep: true },
    outputs: 5,
  },
  TeletrainLSTMGrad: {
    arguments: {
      inputs,
      ...kernels(4),
      ...lstmStates,
      outputs: ofEveryStep(units),
      gates: ofEveryStep(4 * units),
      cells: ofEveryStep(units),
      outputs_gradient: ofEveryStep(units),
      last_state_gradient: state,
      last_cell_gradient: state,
    },
    outputs: 6,
    optional: ['outputs_gradient', 'last_state_gradient', 'last_cell_gradient'],
  },
  ...gruCalls(true),
  ...gruCalls(false),
  TeletrainDiagonalLSTM: {
    arguments: { inputs, ...kernels(4, 2), bias: [4 * units], ...outside },
    attributes: { columns: 3, from_right: false, keep: true },
    outputs: 3,
  },
  TeletrainDiagonalLSTMGrad: {
    arguments: {
      inputs,
      ...kernels(4, 2),
      ...outside,
      outputs: ofEveryStep(units),
      gates: ofEveryStep(4 * units),
      cells: ofEveryStep(units),
      outputs_gradient: ofEveryStep(units),
    },
    attributes: { columns: 3, from_right: true },
    outputs: 6,
  },
};

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('NOT CHECKED: what the kernels refuse. Missing: the native engine on a CPU.');
}

function run(name: string, call: Call, changed: Readonly<Record<string, tf.Tensor>> = {}) {
  const native = nativeDispatch();
  if (native === undefined) throw new Error('The native engine runs these tests.');
  const attributes = Object.entries(call.attributes ?? {}).map(([attribute, value]) =>
    typeof value === 'boolean'
      ? native.boolAttribute(attribute, value)
      : native.intAttribute(attribute, value),
  );
  const given = Object.entries(call.arguments).map(
    ([argument, shape]) => changed[argument] ?? tf.zeros([...shape]),
  );
  const [operation = name] = name.split(' ');
  return native.runOnTensors(operation, attributes, given, call.outputs);
}

type Wrong = (shape: readonly number[]) => tf.Tensor;
const wrongs: readonly Wrong[] = [
  (shape) => tf.zeros(shape.slice(1)),
  (shape) => tf.zeros([...shape, 1]),
  (shape) => tf.zeros([...shape], 'int32'),
  (shape) => tf.zeros([...shape], 'bool'),
  (shape) => tf.zeros([0, 0, ...shape.slice(1)]),
  (shape) => tf.zeros([...shape.slice(0, -1), 0, 1]),
  () => tf.scalar(0),
];
const empties: readonly Wrong[] = [
  (shape) => tf.zeros([0, ...shape.slice(1)]),
  (shape) => tf.zeros([...shape.slice(0, -1), 0]),
];

describe.runIf(hasKernels).each(Object.entries(calls))('%s', (name, call) => {
  const operation = name.split(' ')[0] ?? name;
  const names = Object.keys(call.arguments);
  const refusedAs = (said: string, tensor: tf.Tensor, argument = said) =>
    expect(() => run(name, call, { [argument]: tensor }), `${argument} [${tensor.shape}]`).toThrow(
      new RegExp(`${operation}: argument ${said} `),
    );

  it.each(names)('names itself and %s, of a wrong rank or dtype or empty', (argument) => {
    const shape = call.arguments[argument] ?? [];
    const mayBeEmpty = call.optional?.includes(argument) && shape.length === 1;
    for (const make of mayBeEmpty ? wrongs : [...wrongs, ...empties]) {
      refusedAs(argument, make(shape));
    }
  });

  it.each(names)('names itself and the argument, where %s is of another size', (argument) => {
    const shape = call.arguments[argument] ?? [];
    for (const axis of shape.keys()) {
      // Going forward, sequences of any length fit, and of pictures any number.
      const free = call.attributes?.columns === undefined ? 0 : 1;
      if (argument === 'inputs' && axis === free && !operation.endsWith('Grad')) continue;
      const other = shape.map((size, at) => (at === axis ? size + 1 : size));
      // What the others have to fit: one of them may be told of.
      const said = ['inputs', 'kernel'].includes(argument) ? '\\w+' : argument;
      refusedAs(said, tf.zeros(other), argument);
    }
  });

  it('goes on working afterwards', () => {
    expect(() => run(name, call, { inputs: tf.zeros([1]) })).toThrow();
    expect(run(name, call)).toHaveLength(call.outputs);
  });

  it('leaves nothing behind when it refuses', () => {
    const refuse = () =>
      tf.tidy(() => {
        expect(() => run(name, call, { kernel: tf.zeros([1]) })).toThrow();
      });
    refuse();
    const before = engine.liveTensors();
    refuse();
    expect(engine.liveTensors()).toBe(before);
  });
});
