import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { binaryHead } from '../../../../../worker/engine/ops/binary-head.ts';
import { type Implementation, setBest } from '../../../../../worker/engine/ops/choose.ts';
import {
  NativeDispatch,
  nativeDispatch,
} from '../../../../../worker/engine/ops/native-dispatch.ts';
import { expectGradientsOf } from '../central-differences.ts';
import { largestDifference, randomTensor, valueAndGradients } from '../on-each-engine.ts';

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('NOT CHECKED: the kernel of a classifier’s last layer, which only a CPU has.');
}
afterEach(() => setBest('best'));

interface Size {
  readonly batch: number;
  readonly units: number;
}

function inputsOf({ batch, units }: Size): tf.Tensor[] {
  return [
    randomTensor('features', [batch, units] as [number, number]),
    randomTensor('kernel', [units, 1] as [number, number], 3 / Math.sqrt(units)),
    randomTensor('bias', [1] as [number]),
  ];
}

const targetsOf = (
  batch: number,
  shape: readonly number[] = [batch],
  dtype: 'float32' | 'int32' = 'float32',
) =>
  tf.tidy(() =>
    tf.cast(tf.reshape(tf.less(randomTensor('targets', [batch]), 0), [...shape]), dtype),
  );

function head([features, kernel, bias]: readonly tf.Tensor[], targets: tf.Tensor) {
  const weights = { kernel: kernel as tf.Tensor2D, bias: bias as tf.Tensor1D };
  return binaryHead(features as tf.Tensor2D, weights, targets);
}

const lossOf =
  (targets: tf.Tensor) =>
  (...inputs: tf.Tensor[]) =>
    head(inputs, targets).loss;

function runAs(implementation: Implementation, inputs: tf.Tensor[], targets: tf.Tensor) {
  setBest(implementation);
  const { value, gradients } = valueAndGradients(lossOf(targets), inputs);
  return { value, gradients, accuracy: head(inputs, targets).accuracy };
}

const sizes: fc.Arbitrary<Size> = fc.record({
  batch: fc.integer({ min: 1, max: 150 }),
  units: fc.integer({ min: 1, max: 70 }),
});
const small: Size = { batch: 7, units: 5 };

describe.runIf(hasKernels)('the last layer of a classifier with loss and accuracy', () => {
  it('is one operation each way', () => {
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    const targets = targetsOf(small.batch);
    tf.valueAndGrads((...given) => lossOf(targets)(...(given as tf.Tensor[])))(inputsOf(small));
    const operations = calls.mock.calls.map(([called]) => called);
    expect(operations).toEqual(['TeletrainBinaryHead', 'TeletrainBinaryHeadGrad']);
  });

  it('equals the plain operations, loss, accuracy and all gradients, for any shape', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        tf.tidy(() => {
          const inputs = inputsOf(size);
          const targets = targetsOf(size.batch);
          const [ours, plain] = [
            runAs('best', inputs, targets),
            runAs('composed', inputs, targets),
          ];
          expect(largestDifference(ours.value, plain.value)).toBeLessThan(2e-6);
          expect(largestDifference(ours.accuracy, plain.accuracy)).toBeLessThan(1e-6);
          ours.gradients.forEach((gradient, place) => {
            expect(largestDifference(gradient, plain.gradients[place] as tf.Tensor)).toBeLessThan(
              2e-6,
            );
          });
        });
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  it.each([
    ['int32 [batch]', [small.batch], 'int32'],
    ['float32 [batch, 1]', [small.batch, 1], 'float32'],
    ['int32 [batch, 1]', [small.batch, 1], 'int32'],
  ] as const)('gives the same bits for targets %s as for float32 [batch]', (_, shape, dtype) => {
    const bits = (targets: tf.Tensor) => {
      const { value, gradients, accuracy } = runAs('best', inputsOf(small), targets);
      return [value, accuracy, ...gradients].map((tensor) => [...tensor.dataSync()]);
    };
    const others = targetsOf(small.batch, shape, dtype);
    expect(others.shape).toEqual([...shape]);
    expect(others.dtype).toBe(dtype);
    expect(bits(others)).toEqual(bits(targetsOf(small.batch)));
  });

  it('has the loss of float64 and the gradients of its central differences', () => {
    const inputs = inputsOf(small);
    const tensor = targetsOf(small.batch);
    const targets = [...tensor.dataSync()];
    expect(new Set(targets)).toEqual(new Set([0, 1]));
    const { value, grads } = tf.valueAndGrads((...given) => lossOf(tensor)(...(given as [])))(
      inputs,
    );
    const numbers = inputs.map((input) => Float64Array.from(input.dataSync()));
    const logits = () => {
      const [features, kernel, bias] = numbers as [Float64Array, Float64Array, Float64Array];
      return targets.map((_, example) =>
        kernel.reduce(
          (sum, weight, unit) =>
            sum + weight * (features[example * small.units + unit] ?? Number.NaN),
          bias[0] ?? Number.NaN,
        ),
      );
    };
    const inDouble = () => {
      const nats = logits().map((l, i) => Math.log1p(Math.exp(l)) - l * (targets[i] ?? Number.NaN));
      return nats.reduce((sum, nat) => sum + nat, 0) / small.batch;
    };
    expect(value.dataSync()[0]).toBeCloseTo(inDouble(), 6);
    const right = logits().filter((logit, i) => Number(logit > 0) === targets[i]).length;
    expect(head(inputs, tensor).accuracy.dataSync()[0]).toBeCloseTo(right / small.batch, 6);
    expectGradientsOf(inDouble, numbers, grads, 1e-6);
  });

  it.each([
    [0, 0, Math.log(2), 1],
    [40, 0, 40, 0],
    [-40, 0, 0, 1],
    [200, 1, 0, 1],
    [-200, 1, 200, 0],
  ])('at the logit %d of a %d loses %d nats, accuracy %d', (logit, target, nats, share) => {
    const inputs = [tf.tensor2d([[logit]]), tf.ones([1, 1]), tf.zeros([1])];
    const { loss, accuracy } = head(inputs, tf.tensor1d([target]));
    expect(loss.dataSync()[0]).toBeCloseTo(nats, 5);
    expect(accuracy.dataSync()[0]).toBe(share);
  });

  it('loses NaN nats where a feature is NaN', () => {
    const inputs = [tf.tensor2d([[1], [Number.NaN]]), tf.ones([1, 1]), tf.zeros([1])];
    expect(head(inputs, tf.zeros([2])).loss.dataSync()[0]).toBeNaN();
  });

  it('gives the same bits every time and leaves no tensor behind', () => {
    const size = { batch: 130, units: 33 };
    const [inputs, targets] = [inputsOf(size), targetsOf(size.batch, [size.batch, 1], 'int32')];
    const bits = () =>
      tf.tidy(() => {
        const { value, gradients, accuracy } = runAs('best', inputs, targets);
        return [value, accuracy, ...gradients].map((tensor) => [...tensor.dataSync()]);
      });
    const first = bits();
    const before = [tf.memory().numTensors, engine.liveTensors()];
    for (let repeat = 0; repeat < 5; repeat++) expect(bits()).toEqual(first);
    expect([tf.memory().numTensors, engine.liveTensors()]).toEqual(before);
  });
});

const [batch, units] = [6, 4];
const weights = { features: tf.zeros([batch, units]), kernel: tf.zeros([units, 1]) };
const calls: Readonly<Record<string, Readonly<Record<string, tf.Tensor>>>> = {
  TeletrainBinaryHead: { ...weights, bias: tf.zeros([1]), targets: tf.zeros([batch]) },
  TeletrainBinaryHeadGrad: {
    ...weights,
    logits_gradient: tf.zeros([batch]),
    loss_gradient: tf.scalar(1),
  },
};

describe.runIf(hasKernels).each(Object.entries(calls))('%s called wrongly', (operation, right) => {
  const run = (changed: Readonly<Record<string, tf.Tensor>> = {}) =>
    nativeDispatch()?.runOnTensors(operation, [], Object.values({ ...right, ...changed }), 3);

  it.each(Object.entries(right))('names itself and %s', (name, good) => {
    const wrong = [
      tf.zeros([...good.shape, 1]),
      tf.zeros([...good.shape.slice(0, -1), 0, 0]),
      tf.zeros(good.shape, 'bool'),
      // Integers are right for targets alone.
      ...(name === 'targets' ? [] : [tf.zeros(good.shape, 'int32')]),
      ...(good.rank === 0 ? [] : [tf.zeros(good.shape.map((dimension) => dimension + 1))]),
    ];
    // Features of another size make the others wrong: they or these are told of.
    const said = name === 'features' ? '\\w+' : name;
    for (const tensor of wrong) {
      expect(() => run({ [name]: tensor }), `[${tensor.shape}] ${tensor.dtype}`).toThrow(
        new RegExp(`${operation}: argument ${said} `),
      );
    }
  });

  it('leaves nothing behind, and goes on working afterwards', () => {
    const wrong = tf.zeros([2]);
    const refuse = () => expect(() => run({ kernel: wrong })).toThrow();
    // The first call brings the tensors into the native engine.
    refuse();
    const before = [tf.memory().numTensors, engine.liveTensors()];
    refuse();
    expect([tf.memory().numTensors, engine.liveTensors()]).toEqual(before);
    expect(run()).toHaveLength(3);
  });
});
