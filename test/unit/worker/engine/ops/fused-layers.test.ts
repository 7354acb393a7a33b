import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Engine, openEngine } from '../../../../../worker/engine/backend/engine.ts';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { diagonalLstm } from '../../../../../worker/engine/ops/diagonal-lstm.ts';
import { gru } from '../../../../../worker/engine/ops/gru.ts';
import { lstm } from '../../../../../worker/engine/ops/lstm.ts';
import {
  NativeDispatch,
  nativeDispatch,
} from '../../../../../worker/engine/ops/native-dispatch.ts';
import type {
  DiagonalLstmWeights,
  GruWeights,
  LstmWeights,
  SimpleRnnWeights,
} from '../../../../../worker/engine/ops/recurrent-weights.ts';
import { simpleRnn } from '../../../../../worker/engine/ops/simple-rnn.ts';
import { randomTensor, valueAndGradients } from '../on-each-engine.ts';
import { diagonalLstm64, gru64, lstm64, simpleRnn64 } from './double-precision-layers.ts';

interface Layer {
  /** Shapes of the inputs and of all weights. */
  shapes(size: Size): number[][];
  run(implementation: Implementation, size: Size): (...inputs: tf.Tensor[]) => tf.Tensor;
  inDouble(size: Size, inputs: Float64Array[]): Float64Array;
}

/** A picture's pixels are `rows` times `columns`, a sequence's timesteps too. */
interface Size {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  readonly features: number;
  readonly units: number;
}

const layers: Record<string, Layer> = {
  TeletrainSimpleRNN: {
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [features, units],
      [units, units],
      [units],
      [batch, units],
    ],
    inDouble: simpleRnn64,
    run:
      (implementation) =>
      (inputs, ...weights) =>
        simpleRnn(
          inputs as tf.Tensor3D,
          named<SimpleRnnWeights>(['kernel', 'recurrentKernel', 'bias'], weights),
          { implementation, initialState: weights[3] as tf.Tensor2D },
        ),
  },
  TeletrainLSTM: {
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [features, 4 * units],
      [units, 4 * units],
      [4 * units],
    ],
    inDouble: lstm64,
    run:
      (implementation) =>
      (inputs, ...weights) =>
        lstm(
          inputs as tf.Tensor3D,
          named<LstmWeights>(['kernel', 'recurrentKernel', 'bias'], weights),
          { implementation },
        ),
  },
  TeletrainGRU: resettingGru(true),
  'TeletrainGRU that resets before': resettingGru(false),
  'TeletrainDiagonalLSTM from the left': diagonal('left'),
  'TeletrainDiagonalLSTM from the right': diagonal('right'),
};

function resettingGru(resetAfter: boolean): Layer {
  return {
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [features, 3 * units],
      [units, 3 * units],
      resetAfter ? [2, 3 * units] : [3 * units],
      [batch, units],
    ],
    inDouble: (size, inputs) => gru64(size, inputs, resetAfter),
    run:
      (implementation) =>
      (inputs, ...weights) =>
        gru(
          inputs as tf.Tensor3D,
          named<GruWeights>(['kernel', 'recurrentKernel', 'bias'], weights),
          { resetAfter, implementation, initialState: weights[3] as tf.Tensor2D },
        ),
  };
}

function diagonal(direction: 'left' | 'right'): Layer {
  return {
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [features, 4 * units],
      [2 * units, 4 * units],
      [4 * units],
      [units],
      [units],
    ],
    inDouble: (size, inputs) => diagonalLstm64(size, inputs, direction === 'right'),
    run:
      (implementation, size) =>
      (maps, ...weights) =>
        diagonalLstm(
          maps as tf.Tensor3D,
          named<DiagonalLstmWeights>(
            ['kernel', 'recurrentKernel', 'bias', 'initialOutput', 'initialCell'],
            weights,
          ),
          size,
          direction,
          implementation,
        ),
  };
}

function named<Weights>(names: readonly string[], weights: readonly tf.Tensor[]): Weights {
  // The names are the interface's own.
  return Object.fromEntries(names.map((name, place) => [name, weights[place]])) as Weights;
}

const sizes: fc.Arbitrary<Size> = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  columns: fc.integer({ min: 1, max: 5 }),
  batch: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70 })),
  features: fc.integer({ min: 1, max: 37 }),
  units: fc.oneof(fc.constantFrom(8, 16, 32), fc.integer({ min: 1, max: 70 })),
});

function inputsOf(layer: Layer, size: Size): tf.Tensor[] {
  return layer
    .shapes(size)
    .map((shape, place) =>
      randomTensor(`${place}`, shape as [number], place === 0 ? 1 : 0.8 / Math.sqrt(size.units)),
    );
}

/** The largest difference over the largest value, so that it says how many digits agree. */
function relativeDifference(a: tf.Tensor, b: tf.Tensor): number {
  const scale = Math.max(
    1e-3,
    tf.tidy(() => tf.max(tf.abs(b)).dataSync()[0] ?? 0),
  );
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] ?? Number.NaN) / scale;
}

const engine: Engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('Not checked: the recurrent kernels, which only the native engine on a CPU has.');
}

describe.runIf(hasKernels).each(Object.entries(layers))('%s', (name, layer) => {
  it('is what the layer runs, one operation each way', () => {
    const size = { rows: 2, columns: 3, batch: 2, features: 3, units: 4 };
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    valueAndGradients(layer.run('best', size), inputsOf(layer, size));
    const operation = name.split(' ')[0] ?? name;
    expect(calls.mock.calls.map(([called]) => called)).toEqual([
      operation,
      `${operation}Grad`,
      operation,
    ]);
  });

  it('equals the composed layer for any shape, outputs and all gradients', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        tf.tidy(() => {
          const inputs = inputsOf(layer, size);
          const ours = valueAndGradients(layer.run('best', size), inputs);
          const composed = valueAndGradients(layer.run('composed', size), inputs);
          expect(relativeDifference(ours.value, composed.value)).toBeLessThan(5e-6);
          ours.gradients.forEach((gradient, place) => {
            const expected = composed.gradients[place] as tf.Tensor;
            expect(relativeDifference(gradient, expected)).toBeLessThan(5e-5);
          });
        });
      }),
      { numRuns: 12, seed: 11 },
    );
  });

  it('has the values of float64 and the gradients of its central differences', () => {
    const size = { rows: 3, columns: 4, batch: 3, features: 5, units: 9 };
    const inputs = inputsOf(layer, size);
    const { value, gradients } = valueAndGradients(layer.run('best', size), inputs);
    const numbers = inputs.map((tensor) => Float64Array.from(tensor.dataSync()));
    const weights = randomTensor('weights of the value', value.shape).dataSync();
    const exact = layer.inDouble(size, numbers);
    value.dataSync().forEach((number, place) => {
      expect(Math.abs(number - (exact[place] ?? Number.NaN))).toBeLessThan(1e-6);
    });
    const loss = () =>
      layer.inDouble(size, numbers).reduce((sum, h, place) => sum + h * (weights[place] ?? 0), 0);
    gradients.forEach((gradient, which) => {
      const moved = numbers[which] ?? new Float64Array();
      const shown = gradient.dataSync();
      // A prime step looks at elements of every row and column in turn.
      for (let place = 0; place < moved.length; place += moved.length > 40 ? 7 : 1) {
        const here = moved[place] ?? Number.NaN;
        const at = (distance: number) => {
          moved[place] = here + distance;
          return loss();
        };
        const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        moved[place] = here;
        expect(Math.abs(difference - (shown[place] ?? Number.NaN))).toBeLessThan(1e-5);
      }
    });
  });

  it('gives the same bits every time', () => {
    const size = { rows: 4, columns: 5, batch: 37, features: 5, units: 9 };
    const inputs = inputsOf(layer, size);
    const bits = () =>
      tf.tidy(() => {
        const { value, gradients } = valueAndGradients(layer.run('best', size), inputs);
        return [value, ...gradients].map((tensor) => Buffer.from(tensor.dataSync().slice().buffer));
      });
    const first = bits();
    for (let repeat = 0; repeat < 5; repeat++) expect(bits()).toEqual(first);
  });

  it('gives an example the same bits whatever the batch that it is in', () => {
    const size = { rows: 3, columns: 4, batch: 33, features: 6, units: 20 };
    const inputs = inputsOf(layer, size);
    const only = { ...size, batch: 1 };
    const onlyInputs = inputs.map((tensor, place) => {
      if (place === 0) return tf.slice(tensor, [0, 17, 0], [-1, 1, -1]);
      const isState = tensor.rank === 2 && tensor.shape[0] === size.batch;
      return isState ? tf.slice(tensor, [17, 0], [1, -1]) : tensor;
    });
    const alone = layer.run('best', only)(...onlyInputs);
    const together = tf.slice(layer.run('best', size)(...inputs), [0, 17, 0], [-1, 1, -1]);
    expect([...alone.dataSync()]).toEqual([...together.dataSync()]);
  });
});

describe.runIf(hasKernels)('a kernel that is called wrongly', () => {
  const call = (tensors: tf.Tensor[]) => () => {
    const native = nativeDispatch();
    return native?.runOnTensors('TeletrainSimpleRNN', [], tensors, 2);
  };
  const good = () => [
    tf.zeros([3, 2, 4]),
    tf.zeros([4, 5]),
    tf.zeros([5, 5]),
    tf.zeros([5]),
    tf.zeros([2, 5]),
  ];
  const names = ['inputs', 'kernel', 'recurrent_kernel', 'bias', 'initial_state'];

  it.each(names.map((name, place) => [name, place] as const))(
    'names the operation and the argument %s',
    (name, place) => {
      const wrong = [
        tf.zeros([7, 6]),
        tf.zeros([1, 1, 1, 1]),
        tf.zeros([0]),
        tf.zeros(good()[place]?.shape ?? [], 'int32'),
        tf.zeros(good()[place]?.shape.map((dimension, axis) => dimension * (axis ? 1 : 0)) ?? []),
      ];
      for (const tensor of wrong) {
        const tensors = good();
        tensors[place] = tensor;
        expect(call(tensors)).toThrow(new RegExp(`TeletrainSimpleRNN: argument ${name} `));
      }
    },
  );

  it('goes on working afterwards', () => {
    expect(call(good())()?.[0]?.shape).toEqual([3, 2, 5]);
  });
});
