import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { nativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import { largestDifference, randomTensor } from '../on-each-engine.ts';

const [timesteps, split, batch, features, units] = [9, 4, 19, 5, 11];

interface Operation {
  readonly name: string;
  readonly gates: number;
  readonly bias: readonly number[];
  /** Number of state tensors: the output alone, or the cell as well. */
  readonly states: 1 | 2;
  readonly booleans: Readonly<Record<string, boolean>>;
}

const operations: Operation[] = [
  { name: 'TeletrainSimpleRNN', gates: 1, bias: [units], states: 1, booleans: {} },
  { name: 'TeletrainLSTM', gates: 4, bias: [4 * units], states: 2, booleans: {} },
  {
    name: 'TeletrainGRU',
    gates: 3,
    bias: [2, 3 * units],
    states: 1,
    booleans: { reset_after: true },
  },
  {
    name: 'TeletrainGRU',
    gates: 3,
    bias: [3 * units],
    states: 1,
    booleans: { reset_after: false },
  },
];

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn(
    'NOT CHECKED: states that the recurrent kernels carry. Missing: the native engine on a CPU.',
  );
}

/** An operation on a sequence from given states, with its gradients from those of all its results. */
function runOperation(
  { name, states, booleans }: Operation,
  [inputs, kernel, recurrentKernel, bias]: tf.Tensor[],
  initial: tf.Tensor[],
) {
  const native = nativeDispatch();
  if (native === undefined) throw new Error('The native engine runs these tests.');
  const attributes = Object.entries(booleans).map(([key, on]) => native.boolAttribute(key, on));
  const hasKept = name !== 'TeletrainSimpleRNN';
  const weights = [kernel, recurrentKernel] as tf.Tensor[];
  const results = native.runOnTensors(
    name,
    hasKept ? [...attributes, native.boolAttribute('keep', true)] : attributes,
    [inputs as tf.Tensor, ...weights, bias as tf.Tensor, ...initial],
    1 + states + (hasKept ? states : 0),
  );
  const outputs = results[0] as tf.Tensor;
  const kept = results.slice(1 + states);
  return {
    outputs,
    last: results.slice(1, 1 + states),
    gradients: (dy: tf.Tensor, lastGradients: tf.Tensor[]) => {
      const all = native.runOnTensors(
        `${name}Grad`,
        attributes,
        [inputs as tf.Tensor, ...weights, ...initial, outputs, ...kept, dy, ...lastGradients],
        4 + states,
      );
      return { inputs: all[0] as tf.Tensor, weights: all.slice(1, 4), initial: all.slice(4) };
    },
  };
}

describe.runIf(hasKernels).each(operations)('$name, $booleans', (operation) => {
  it('goes on from a state as if it had never stopped, and back', () => {
    const weights = [
      randomTensor('kernel', [features, operation.gates * units], 0.4),
      randomTensor('recurrent kernel', [units, operation.gates * units], 0.4),
      randomTensor('bias', [...operation.bias] as [number], 0.4),
    ];
    const initial = Array.from({ length: operation.states }, (_, state) =>
      randomTensor(`state ${state}`, [batch, units]),
    );
    const lastGradients = initial.map((_, state) => randomTensor(`last ${state}`, [batch, units]));
    const inputs = randomTensor('inputs', [timesteps, batch, features]);
    const dy = randomTensor('gradient', [timesteps, batch, units]);
    const parts = (tensor: tf.Tensor) => tf.split(tensor, [split, timesteps - split], 0);
    const [firstInputs, restInputs] = parts(inputs) as [tf.Tensor, tf.Tensor];
    const [firstDy, restDy] = parts(dy) as [tf.Tensor, tf.Tensor];

    const whole = runOperation(operation, [inputs, ...weights], initial);
    const first = runOperation(operation, [firstInputs, ...weights], initial);
    const rest = runOperation(operation, [restInputs, ...weights], first.last);
    expect(largestDifference(tf.concat([first.outputs, rest.outputs]), whole.outputs)).toBe(0);
    whole.last.forEach((state, place) => {
      expect(largestDifference(rest.last[place] as tf.Tensor, state)).toBe(0);
    });

    const expected = whole.gradients(dy, lastGradients);
    const restGradients = rest.gradients(restDy, lastGradients);
    const firstGradients = first.gradients(firstDy, restGradients.initial);
    const joined = tf.concat([firstGradients.inputs, restGradients.inputs]);
    expect(largestDifference(joined, expected.inputs)).toBeLessThan(1e-6);
    expected.initial.forEach((gradient, place) => {
      const carried = firstGradients.initial[place] as tf.Tensor;
      expect(largestDifference(carried, gradient)).toBeLessThan(1e-6);
    });
    expected.weights.forEach((gradient, place) => {
      const [a, b] = [firstGradients.weights[place], restGradients.weights[place]];
      const sum = tf.add(a as tf.Tensor, b as tf.Tensor);
      expect(largestDifference(sum, gradient)).toBeLessThan(2e-5);
    });
  });
});
