import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { denseLoss } from '../../../../../worker/engine/ops/dense-loss.ts';
import {
  NativeDispatch,
  nativeDispatch,
} from '../../../../../worker/engine/ops/native-dispatch.ts';
import { expectGradientsOf } from '../central-differences.ts';
import { randomTensor, valueAndGradients } from '../on-each-engine.ts';
import { dense64 } from './double-precision-pictures.ts';

interface Network {
  readonly cells: number;
  readonly batch: number;
  /** Features of the maps, and outputs of the layers but the last, which gives the logit. */
  readonly widths: readonly number[];
  readonly reluFrom: number;
}

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('Not checked: the kernel of dense layers with a loss, which only a CPU has.');
}

function inputsOf({ cells, batch, widths }: Network): tf.Tensor[] {
  const weights = widths.flatMap((width, layer) => {
    const outputs = widths[layer + 1] ?? 1;
    const scale = 1 / Math.sqrt(width);
    return [
      randomTensor(`kernel ${layer}`, [width, outputs] as [number, number], 2 * scale),
      randomTensor(`bias ${layer}`, [outputs] as [number], scale),
    ];
  });
  return [
    randomTensor('maps', [cells, batch, widths[0] ?? 1] as [number, number, number]),
    ...weights,
  ];
}

function pixelsOf({ cells, batch }: Network): tf.Tensor2D {
  return tf.tidy(() => tf.cast(tf.less(randomTensor('pixels', [cells, batch]), 0), 'float32'));
}

function run(network: Network, implementation: Implementation = 'best') {
  return (maps: tf.Tensor, ...weights: tf.Tensor[]) => {
    const layers = network.widths.map((_, layer) => ({
      kernel: weights[2 * layer] as tf.Tensor2D,
      bias: weights[2 * layer + 1] as tf.Tensor1D,
    }));
    const { reluFrom } = network;
    const options = { reluFrom, implementation };
    return denseLoss(maps as tf.Tensor3D, pixelsOf(network), layers, options);
  };
}

const largest = (tensors: readonly tf.Tensor[]): number =>
  Math.max(...tensors.map((tensor) => tf.tidy(() => tf.max(tf.abs(tensor)).dataSync()[0] ?? 0)));

const networks: fc.Arbitrary<Network> = fc.record({
  cells: fc.integer({ min: 1, max: 60 }),
  batch: fc.integer({ min: 1, max: 30 }),
  widths: fc.array(fc.oneof(fc.constantFrom(1, 3, 16, 32, 64), fc.integer({ min: 1, max: 70 })), {
    minLength: 1,
    maxLength: 5,
  }),
  reluFrom: fc.integer({ min: 0, max: 5 }),
});

const small: Network = { cells: 12, batch: 5, widths: [4, 9, 3], reluFrom: 1 };

describe.runIf(hasKernels)('dense layers with the loss of their logits', () => {
  it('are one operation with all gradients', () => {
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    tf.valueAndGrads((maps, ...weights) => run(small)(maps as tf.Tensor, ...weights))(
      inputsOf(small),
    );
    expect(calls.mock.calls.map(([called]) => called)).toEqual(['TeletrainDenseLoss']);
  });

  it('equal the layers one by one, loss and all gradients, for any shape', () => {
    fc.assert(
      fc.property(networks, (network) => {
        tf.tidy(() => {
          const inputs = inputsOf(network);
          // The test's own weight of the value is not 1.
          const ours = valueAndGradients(run(network), inputs);
          const composed = valueAndGradients(run(network, 'composed'), inputs);
          const [loss, expectedLoss] = [ours.value, composed.value].map((t) => t.dataSync()[0]);
          expect((loss ?? Number.NaN) / (expectedLoss ?? Number.NaN)).toBeCloseTo(1, 5);
          // A bias' gradient, one number, may be next to nothing: terms that cancel out.
          const scale = largest(composed.gradients);
          ours.gradients.forEach((gradient, place) => {
            const expected = composed.gradients[place] as tf.Tensor;
            expect(gradient.shape).toEqual(expected.shape);
            expect(largest([tf.sub(gradient, expected)])).toBeLessThan(2e-5 * scale);
          });
        });
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  it('have the loss of float64 and the gradients of its central differences', () => {
    const inputs = inputsOf(small);
    const loss = (maps: tf.Tensor, ...weights: tf.Tensor[]) => run(small)(maps, ...weights);
    const { value, grads } = tf.valueAndGrads((...given) => loss(...(given as [tf.Tensor])))(
      inputs,
    );
    const numbers = inputs.map((tensor) => Float64Array.from(tensor.dataSync()));
    const targets = pixelsOf(small).dataSync();
    const inDouble = () => {
      const logits = small.widths.reduce<Float64Array>((x, features, layer) => {
        const units = small.widths[layer + 1] ?? 1;
        const layout = { rows: 1, columns: small.cells, batch: small.batch, features, units };
        const [kernel, bias] = numbers.slice(1 + 2 * layer) as [Float64Array, Float64Array];
        return dense64(layout, [x, kernel, bias], layer >= small.reluFrom);
      }, numbers[0] as Float64Array);
      const nats = logits.map((l, row) => Math.log1p(Math.exp(l)) - l * (targets[row] ?? 0));
      return nats.reduce((sum, nat) => sum + nat, 0) / small.batch;
    };
    expect(value.dataSync()[0]).toBeCloseTo(inDouble(), 4);
    expectGradientsOf(inDouble, numbers, grads, 1e-5);
  });

  it.each([
    [0, Math.log(2)],
    [40, 40],
    [-40, 0],
    [200, 200],
  ])('lose a hidden 0 at the logit %d in %d nats', (logit, nats) => {
    const layer = { kernel: tf.ones<tf.Rank.R2>([1, 1]), bias: tf.zeros<tf.Rank.R1>([1]) };
    const maps = tf.tensor3d([logit], [1, 1, 1]);
    const loss = denseLoss(maps, tf.zeros([1, 1]), [layer], { reluFrom: 1 });
    expect(loss.dataSync()[0]).toBeCloseTo(nats, 5);
  });

  it('lose NaN nats where a logit is NaN', () => {
    const layer = { kernel: tf.ones<tf.Rank.R2>([1, 1]), bias: tf.zeros<tf.Rank.R1>([1]) };
    const maps = tf.tensor3d([1, Number.NaN, 1], [3, 1, 1]);
    expect(denseLoss(maps, tf.zeros([3, 1]), [layer]).dataSync()[0]).toBeNaN();
  });

  it('give the same bits every time and leave no tensor behind', () => {
    const network = { cells: 50, batch: 37, widths: [33, 20, 7], reluFrom: 0 };
    const inputs = inputsOf(network);
    const bits = () =>
      tf.tidy(() => {
        const { value, gradients } = valueAndGradients(run(network), inputs);
        return [value, ...gradients].map((tensor) => Buffer.from(tensor.dataSync().slice().buffer));
      });
    const first = bits();
    const before = engine.liveTensors();
    for (let repeat = 0; repeat < 5; repeat++) expect(bits()).toEqual(first);
    expect(engine.liveTensors()).toBe(before);
  });
});

describe.runIf(hasKernels)('TeletrainDenseLoss called wrongly', () => {
  const [maps, pixels] = [tf.zeros([6, 2, 3]), tf.zeros([6, 2])];
  const weights = [tf.zeros([3, 4]), tf.zeros([4]), tf.zeros([4, 1]), tf.zeros([1])];
  const call = (inputs: tf.Tensor, targets: tf.Tensor, given: tf.Tensor[]) => () => {
    const native = nativeDispatch();
    const attributes = [
      native?.intAttribute('relu_from', 0),
      native?.boolAttribute('gradients', true),
      native?.intAttribute('N', given.length),
    ].filter((attribute) => attribute !== undefined);
    const all = [inputs, targets, ...given];
    return native?.runOnTensors('TeletrainDenseLoss', attributes, all, given.length + 2);
  };

  it.each([
    ['inputs has the shape [6, 2]', tf.zeros([6, 2]), pixels, weights],
    ['inputs is not float32', tf.zeros([6, 2, 3], 'int32'), pixels, weights],
    ['targets has the shape [6, 3]', maps, tf.zeros([6, 3]), weights],
    ['weights[0] has the shape [2, 4]', maps, pixels, [tf.zeros([2, 4]), ...weights.slice(1)]],
    ['weights[2] is a kernel without a bias', maps, pixels, weights.slice(0, 3)],
    ['weights[0] does not give one logit', maps, pixels, weights.slice(0, 2)],
  ])('says that %s', (what, inputs, targets, given) => {
    expect(call(inputs, targets, given)).toThrow(`TeletrainDenseLoss: argument ${what}`);
  });

  it('goes on working afterwards', () => {
    expect(call(maps, pixels, weights)()).toHaveLength(6);
  });
});
