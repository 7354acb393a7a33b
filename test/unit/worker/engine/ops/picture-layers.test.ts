import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { dense } from '../../../../../worker/engine/ops/dense.ts';
import { diagonalBiLstmLayer } from '../../../../../worker/engine/ops/diagonal-bilstm-layer.ts';
import {
  type Mask,
  maskedConvolution,
} from '../../../../../worker/engine/ops/masked-convolution.ts';
import {
  NativeDispatch,
  nativeDispatch,
} from '../../../../../worker/engine/ops/native-dispatch.ts';
import type { DiagonalLstmWeights } from '../../../../../worker/engine/ops/recurrent-weights.ts';
import { randomTensor, valueAndGradients } from '../on-each-engine.ts';
import type { PixelLayout } from './double-precision-layers.ts';
import {
  dense64,
  diagonalBiLstmLayer64,
  maskedConvolution64,
} from './double-precision-pictures.ts';

interface Layer {
  /** The operations of one value and its gradients. */
  readonly operations: readonly string[];
  /** Shapes of the maps and of all other inputs. */
  shapes(layout: PixelLayout): number[][];
  run(implementation: Implementation, layout: PixelLayout): (...inputs: tf.Tensor[]) => tf.Tensor;
  inDouble(layout: PixelLayout, inputs: Float64Array[]): Float64Array;
}

function denseLayer(relu: boolean, residual: boolean): Layer {
  return {
    operations: ['TeletrainDense', 'TeletrainDenseGrad'],
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [features, units],
      [units],
      ...(residual ? [[rows * columns, batch, units]] : []),
    ],
    run:
      (implementation) =>
      (...inputs) => {
        // The shapes above.
        const [maps, kernel, bias, added] = inputs as [
          ...[tf.Tensor3D, tf.Tensor2D, tf.Tensor1D],
          ...[tf.Tensor3D],
        ];
        return dense(maps, kernel, bias, { relu, residual: added, implementation });
      },
    inDouble: (layout, inputs) => dense64(layout, inputs, relu),
  };
}

function convolution(kernelSize: number, mask: Mask): Layer {
  return {
    operations: ['TeletrainMaskedConvolution', 'TeletrainMaskedConvolutionGrad'],
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [kernelSize, kernelSize, features, units],
      [units],
    ],
    run:
      (implementation, { rows, columns }) =>
      (...inputs) => {
        // The shapes above.
        const [maps, kernel, bias] = inputs as [tf.Tensor3D, tf.Tensor4D, tf.Tensor1D];
        return maskedConvolution(maps, kernel, bias, { rows, columns }, mask, { implementation });
      },
    inDouble: (layout, inputs) => maskedConvolution64(layout, inputs, kernelSize, mask === 'B'),
  };
}

const biLstmLayer: Layer = {
  operations: [
    'TeletrainDiagonalBiLSTM',
    'TeletrainDense',
    'TeletrainDenseGrad',
    'TeletrainDiagonalBiLSTMGrad',
  ],
  shapes({ rows, columns, batch, features, units }) {
    const direction = [
      [features, 4 * units],
      [2 * units, 4 * units],
      [4 * units],
      [units],
      [units],
    ];
    return [
      [rows * columns, batch, features],
      ...direction,
      ...direction,
      [units, features],
      [features],
    ];
  },
  run:
    (implementation, { rows, columns }) =>
    (maps, ...weights) => {
      const direction = (from: number) => {
        const [kernel, recurrentKernel, bias, initialOutput, initialCell] = weights.slice(from);
        return { kernel, recurrentKernel, bias, initialOutput, initialCell } as DiagonalLstmWeights;
      };
      const [kernel, bias] = weights.slice(10) as [tf.Tensor2D, tf.Tensor1D];
      const layer = { left: direction(0), right: direction(5), upsample: { kernel, bias } };
      return diagonalBiLstmLayer(maps as tf.Tensor3D, layer, { rows, columns }, implementation);
    },
  inDouble: diagonalBiLstmLayer64,
};

const layers: Record<string, Layer> = {
  'a dense layer': denseLayer(false, false),
  'a dense layer with a residual': denseLayer(false, true),
  'a dense layer of a ReLU': denseLayer(true, false),
  'a masked convolution of 1x1': convolution(1, 'B'),
  'a masked convolution of 3x3 that hides the centre': convolution(3, 'A'),
  'a masked convolution of 5x5': convolution(5, 'B'),
  'a Diagonal BiLSTM layer': biLstmLayer,
};

const layouts: fc.Arbitrary<PixelLayout> = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  columns: fc.integer({ min: 1, max: 5 }),
  batch: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70 })),
  features: fc.oneof(fc.constantFrom(1, 16, 64), fc.integer({ min: 1, max: 37 })),
  units: fc.oneof(fc.constantFrom(1, 3, 16, 32), fc.integer({ min: 1, max: 70 })),
});

function inputsOf(layer: Layer, layout: PixelLayout): tf.Tensor[] {
  return layer
    .shapes(layout)
    .map((shape, place) =>
      randomTensor(
        `${place}`,
        shape as [number],
        place === 0 ? 1 : 0.8 / Math.sqrt(layout.features + layout.units),
      ),
    );
}

/** The largest difference over the largest value, so that it says how many digits agree. */
function relativeDifference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => {
    const scale = Math.max(1e-3, tf.max(tf.abs(b)).dataSync()[0] ?? 0);
    return (tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] ?? Number.NaN) / scale;
  });
}

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('Not checked: the picture kernels, which only the native engine on a CPU has.');
}

describe.runIf(hasKernels).each(Object.entries(layers))('%s', (_, layer) => {
  it('is one operation for each of its parts each way', () => {
    const layout = { rows: 2, columns: 3, batch: 2, features: 3, units: 4 };
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    valueAndGradients(layer.run('best', layout), inputsOf(layer, layout));
    const forward = layer.operations.filter((name) => !name.endsWith('Grad'));
    expect(calls.mock.calls.map(([called]) => called)).toEqual([...layer.operations, ...forward]);
  });

  it('equals the composed layer for any shape, outputs and all gradients', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        tf.tidy(() => {
          const inputs = inputsOf(layer, layout);
          const ours = valueAndGradients(layer.run('best', layout), inputs);
          const composed = valueAndGradients(layer.run('composed', layout), inputs);
          expect(relativeDifference(ours.value, composed.value)).toBeLessThan(5e-6);
          ours.gradients.forEach((gradient, place) => {
            const expected = composed.gradients[place] as tf.Tensor;
            expect(gradient.shape).toEqual(expected.shape);
            expect(relativeDifference(gradient, expected)).toBeLessThan(5e-5);
          });
        });
      }),
      { numRuns: 15, seed: 11 },
    );
  });

  it('has the values of float64 and the gradients of its central differences', () => {
    const layout = { rows: 3, columns: 4, batch: 3, features: 5, units: 9 };
    const inputs = inputsOf(layer, layout);
    const { value, gradients } = valueAndGradients(layer.run('best', layout), inputs);
    const numbers = inputs.map((tensor) => Float64Array.from(tensor.dataSync()));
    const weights = randomTensor('weights of the value', value.shape).dataSync();
    const exact = layer.inDouble(layout, numbers);
    value.dataSync().forEach((number, place) => {
      expect(Math.abs(number - (exact[place] ?? Number.NaN))).toBeLessThan(2e-6);
    });
    const loss = () =>
      layer.inDouble(layout, numbers).reduce((sum, y, place) => sum + y * (weights[place] ?? 0), 0);
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
    const layout = { rows: 9, columns: 8, batch: 37, features: 5, units: 9 };
    const inputs = inputsOf(layer, layout);
    const bits = () =>
      tf.tidy(() => {
        const { value, gradients } = valueAndGradients(layer.run('best', layout), inputs);
        return [value, ...gradients].map((tensor) => Buffer.from(tensor.dataSync().slice().buffer));
      });
    const first = bits();
    for (let repeat = 0; repeat < 5; repeat++) expect(bits()).toEqual(first);
  });

  it('gives a picture the same bits whatever the batch that it is in', () => {
    const layout = { rows: 3, columns: 4, batch: 33, features: 6, units: 20 };
    const inputs = inputsOf(layer, layout);
    const onlyInputs = inputs.map((tensor) =>
      tensor.shape[1] === layout.batch ? tf.slice(tensor, [0, 17, 0], [-1, 1, -1]) : tensor,
    );
    const alone = layer.run('best', { ...layout, batch: 1 })(...onlyInputs);
    const together = tf.slice(layer.run('best', layout)(...inputs), [0, 17, 0], [-1, 1, -1]);
    expect([...alone.dataSync()]).toEqual([...together.dataSync()]);
  });

  it('leaves no tensor behind, with gradients and without', () => {
    const layout = { rows: 3, columns: 2, batch: 3, features: 4, units: 5 };
    const inputs = inputsOf(layer, layout);
    const step = () => {
      const { value, gradients } = valueAndGradients(layer.run('best', layout), inputs);
      tf.dispose([value, gradients]);
    };
    step();
    const before = engine.liveTensors();
    step();
    step();
    expect(engine.liveTensors()).toBe(before);
  });
});

it.runIf(hasKernels)('a masked convolution of data has its weights’ gradients alone', () => {
  const layer = convolution(3, 'A');
  const layout = { rows: 4, columns: 5, batch: 6, features: 1, units: 7 };
  const [maps, ...weights] = inputsOf(layer, layout) as [tf.Tensor3D, ...tf.Tensor[]];
  const ofData = (...[kernel, bias]: tf.Tensor[]) =>
    maskedConvolution(maps, kernel as tf.Tensor4D, bias as tf.Tensor1D, layout, 'A', {
      ofData: true,
    });
  const ours = valueAndGradients(ofData, weights);
  const all = valueAndGradients(layer.run('best', layout), [maps, ...weights]);
  ours.gradients.forEach((gradient, place) => {
    expect([...gradient.dataSync()]).toEqual([...(all.gradients[place + 1]?.dataSync() ?? [])]);
  });
});

it.runIf(hasKernels)('a NaN goes through a dense layer’s ReLU', () => {
  const maps = tf.tensor3d([Number.NaN, -1, 2], [3, 1, 1]);
  const outputs = dense(maps, tf.ones([1, 1]), tf.zeros([1]), { relu: true });
  expect([...outputs.dataSync()]).toEqual([Number.NaN, 0, 2]);
});

interface Call {
  readonly arguments: Readonly<Record<string, tf.Tensor>>;
  readonly attributes: Readonly<Record<string, number | boolean>>;
  readonly outputs: number;
}

const [cells, batch, features, units] = [6, 2, 3, 5] as const;
const inDirection = {
  kernel: tf.zeros([features, 4 * units]),
  recurrent_kernel: tf.zeros([2 * units, 4 * units]),
  initial_output: tf.zeros([units]),
  initial_cell: tf.zeros([units]),
};
const named = (prefix: string, tensors: Record<string, tf.Tensor>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [`${prefix}_${name}`, tensor]),
  );
const maps = tf.zeros([cells, batch, features]);
const outputsOf = (width: number) => tf.zeros([cells, batch, width]);
const states = { outputs: outputsOf(units), gates: outputsOf(4 * units), cells: outputsOf(units) };
const { kernel, recurrent_kernel, initial_output, initial_cell } = inDirection;
const goingForward = {
  kernel,
  recurrent_kernel,
  bias: tf.zeros([4 * units]),
  initial_output,
  initial_cell,
};
const calls: Record<string, Call> = {
  TeletrainDense: {
    arguments: {
      inputs: maps,
      second: maps,
      kernel: tf.zeros([features, units]),
      bias: tf.zeros([units]),
      residual: outputsOf(units),
    },
    attributes: { relu: true, second_cells_before: 2, adds_residual: true },
    outputs: 1,
  },
  TeletrainDenseGrad: {
    arguments: {
      inputs: maps,
      second: maps,
      kernel: tf.zeros([features, units]),
      outputs_gradient: outputsOf(units),
    },
    attributes: { relu: true, second_cells_before: 2 },
    outputs: 3,
  },
  TeletrainMaskedConvolution: {
    arguments: {
      inputs: maps,
      kernel: tf.zeros([3, 3, features, units]),
      bias: tf.zeros([units]),
    },
    attributes: { columns: 2, sees_itself: true },
    outputs: 1,
  },
  TeletrainMaskedConvolutionGrad: {
    arguments: {
      inputs: maps,
      kernel: tf.zeros([3, 3, features, units]),
      outputs_gradient: outputsOf(units),
    },
    attributes: { columns: 2, sees_itself: true, to_inputs: true },
    outputs: 3,
  },
  TeletrainDiagonalBiLSTM: {
    arguments: { inputs: maps, ...named('left', goingForward), ...named('right', goingForward) },
    attributes: { columns: 2, keep: true },
    outputs: 6,
  },
  TeletrainDiagonalBiLSTMGrad: {
    arguments: {
      inputs: maps,
      ...named('left', inDirection),
      ...named('right', inDirection),
      ...named('left', states),
      ...named('right', states),
      outputs_gradient: outputsOf(units),
      added_gradient: maps,
    },
    attributes: { columns: 2 },
    outputs: 11,
  },
};

describe.runIf(hasKernels).each(Object.entries(calls))('%s called wrongly', (operation, call) => {
  const run = (given: Call['arguments'], changed: Call['attributes'] = {}) => {
    const native = nativeDispatch();
    const attributes = Object.entries({ ...call.attributes, ...changed }).map(([name, value]) =>
      typeof value === 'boolean'
        ? native?.boolAttribute(name, value)
        : native?.intAttribute(name, value),
    );
    return native?.runOnTensors(
      operation,
      attributes.filter((attribute) => attribute !== undefined),
      Object.values(given),
      call.outputs,
    );
  };

  it('names the operation and the argument', () => {
    for (const [name, good] of Object.entries(call.arguments)) {
      const wrong = [
        tf.zeros([7]),
        tf.zeros([7, 6, 1, 1, 1]),
        tf.zeros([0]),
        tf.zeros(good.shape, 'int32'),
        tf.zeros(good.shape.map((dimension, axis) => dimension * (axis ? 1 : 0))),
        tf.zeros(good.shape.map((dimension) => dimension + 2)),
      ];
      for (const tensor of wrong) {
        // A wrong first argument makes others wrong: it is told of or they are.
        const said = name === 'inputs' || name.endsWith('kernel') ? '\\w+' : name;
        expect(() => run({ ...call.arguments, [name]: tensor })).toThrow(
          new RegExp(`${operation}: argument ${said} `),
        );
      }
    }
  });

  it('goes on working afterwards', () => {
    expect(run(call.arguments)).toHaveLength(call.outputs);
  });

  it.runIf('columns' in call.attributes)('refuses pixels that make no whole lines', () => {
    expect(() => run(call.arguments, { columns: 4 })).toThrow(
      `${operation}: argument inputs has 6 pixels, no whole lines of 4`,
    );
  });
});
