import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { gru, gruLastState, gruWithState } from '../../../../../worker/engine/ops/gru.ts';
import { lstm, lstmLastState, lstmWithState } from '../../../../../worker/engine/ops/lstm.ts';
import { NativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import {
  simpleRnn,
  simpleRnnLastState,
  simpleRnnWithState,
} from '../../../../../worker/engine/ops/simple-rnn.ts';
import {
  largestDifference,
  onEachEngine,
  randomTensor,
  valueAndGradients,
} from '../on-each-engine.ts';

const [timesteps, batch, features, units] = [6, 3, 4, 5];

/** Every state as a list: the output and, of an LSTM, the cell. */
interface Layer {
  readonly gates: number;
  readonly bias: readonly number[];
  readonly states: 1 | 2;
  outputs(implementation: Implementation, given: Given): tf.Tensor;
  lastState(implementation: Implementation, given: Given): tf.Tensor[];
  both(implementation: Implementation, given: Given): tf.Tensor[];
}

interface Given {
  readonly inputs: tf.Tensor3D;
  // biome-ignore lint/suspicious/noExplicitAny: the three layers' weights differ in the bias' rank.
  readonly weights: any;
  readonly states: tf.Tensor2D[];
}

const options = (implementation: Implementation, { states }: Given) => ({
  implementation,
  initialState: states[0] as tf.Tensor2D,
});
const lstmOptions = (implementation: Implementation, { states }: Given) => ({
  implementation,
  initialState: { output: states[0] as tf.Tensor2D, cell: states[1] as tf.Tensor2D },
});

const resetting = (resetAfter: boolean): Layer => ({
  gates: 3,
  bias: resetAfter ? [2, 3 * units] : [3 * units],
  states: 1,
  outputs: (how, given) => gru(given.inputs, given.weights, { ...options(how, given), resetAfter }),
  lastState: (how, given) => [
    gruLastState(given.inputs, given.weights, { ...options(how, given), resetAfter }),
  ],
  both(how, given) {
    const all = gruWithState(given.inputs, given.weights, { ...options(how, given), resetAfter });
    return [all.outputs, all.lastState];
  },
});

const layers: Record<string, Layer> = {
  SimpleRNN: {
    gates: 1,
    bias: [units],
    states: 1,
    outputs: (how, given) => simpleRnn(given.inputs, given.weights, options(how, given)),
    lastState: (how, given) => [
      simpleRnnLastState(given.inputs, given.weights, options(how, given)),
    ],
    both(how, given) {
      const all = simpleRnnWithState(given.inputs, given.weights, options(how, given));
      return [all.outputs, all.lastState];
    },
  },
  LSTM: {
    gates: 4,
    bias: [4 * units],
    states: 2,
    outputs: (how, given) => lstm(given.inputs, given.weights, lstmOptions(how, given)),
    lastState(how, given) {
      const { output, cell } = lstmLastState(given.inputs, given.weights, lstmOptions(how, given));
      return [output, cell];
    },
    both(how, given) {
      const all = lstmWithState(given.inputs, given.weights, lstmOptions(how, given));
      return [all.outputs, all.lastState.output, all.lastState.cell];
    },
  },
  GRU: resetting(true),
  'GRU that resets before': resetting(false),
};

function inputsOf({ gates, bias, states }: Layer): tf.Tensor[] {
  return [
    randomTensor('inputs', [timesteps, batch, features]),
    randomTensor('kernel', [features, gates * units], 0.5),
    randomTensor('recurrent kernel', [units, gates * units], 0.5),
    randomTensor('bias', [...bias] as [number], 0.5),
    ...Array.from({ length: states }, (_, state) => randomTensor(`state ${state}`, [batch, units])),
  ];
}

const given = ([inputs, kernel, recurrentKernel, bias, ...states]: tf.Tensor[]) =>
  // As `inputsOf` makes them.
  ({ inputs, weights: { kernel, recurrentKernel, bias }, states }) as Given;

const lastOf = (outputs: tf.Tensor) =>
  tf.reshape(tf.slice(outputs, [timesteps - 1, 0, 0], [1, -1, -1]), [batch, units]);

const joined = (tensors: tf.Tensor[]) =>
  tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1])));

function expectSame(
  ours: ReturnType<typeof valueAndGradients>,
  expected: ReturnType<typeof valueAndGradients>,
) {
  expect(largestDifference(ours.value, expected.value)).toBeLessThan(1e-6);
  ours.gradients.forEach((gradient, place) => {
    const other = expected.gradients[place] as tf.Tensor;
    expect(largestDifference(gradient, other)).toBeLessThan(1e-5);
  });
}

onEachEngine((_, kind) => {
  describe.each(Object.entries(layers))('%s', (_, layer) => {
    it.each(['best', 'block', 'operations', 'composed'] as const)(
      'gives its last output alone, with the gradients that it has among all outputs (%s)',
      (how) => {
        const inputs = inputsOf(layer);
        expectSame(
          valueAndGradients((...all) => layer.lastState(how, given(all))[0] as tf.Tensor, inputs),
          valueAndGradients((...all) => lastOf(layer.outputs('composed', given(all))), inputs),
        );
      },
    );

    it.each(['best', 'block', 'operations', 'composed'] as const)(
      'gives its outputs and what it goes on from, with the gradients of both (%s)',
      (how) => {
        const inputs = inputsOf(layer);
        // Going on for a timestep shows every state in outputs.
        const longer = (...all: tf.Tensor[]) => {
          const [first, ...rest] = all as [tf.Tensor, ...tf.Tensor[]];
          const [before, after] = tf.split(first, [timesteps - 2, 2]) as [tf.Tensor, tf.Tensor];
          const [outputs, ...states] = layer.both(how, given([before, ...rest]));
          const weights = rest.slice(0, 3);
          const others = layer.outputs(how, given([after, ...weights, ...states]));
          return joined([outputs as tf.Tensor, others]);
        };
        expectSame(
          valueAndGradients(longer, inputs),
          valueAndGradients((...all) => joined([layer.outputs('composed', given(all))]), inputs),
        );
      },
    );
  });

  it.runIf(kind === 'native')('makes no zeros for the outputs that nobody reads', () => {
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    for (const [name, layer] of Object.entries(layers)) {
      const inputs = inputsOf(layer);
      valueAndGradients((...all) => layer.lastState('kernel', given(all))[0] as tf.Tensor, inputs);
      const back = calls.mock.calls.filter(([called]) => called.endsWith('Grad'));
      const shapes = back.at(-1)?.[2].map(({ shape }) => shape.join()) ?? [];
      const wholeSequences = shapes.filter((shape) => shape === `${timesteps},${batch},${units}`);
      // The outputs, and an LSTM's cells.
      expect(wholeSequences.length, name).toBe(layer.states);
    }
  });
});
