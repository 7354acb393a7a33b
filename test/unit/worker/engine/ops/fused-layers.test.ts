import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { NativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import { randomTensor, valueAndGradients } from '../on-each-engine.ts';
import { givenTo, inOne, recurrentCases, type Size } from './recurrent-cases.ts';

/** One unit, whole vectors of them, and what is left over beside those. */
const someUnits = fc.oneof(
  fc.constantFrom(1, 8, 16, 17, 31, 32, 33),
  fc.integer({ min: 1, max: 70 }),
);

const sizes: fc.Arbitrary<Size> = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  columns: fc.integer({ min: 1, max: 4 }),
  batch: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70 })),
  features: fc.integer({ min: 1, max: 37 }),
  units: someUnits,
});

const smallSizes: fc.Arbitrary<Size> = fc.record({
  rows: fc.integer({ min: 1, max: 3 }),
  columns: fc.integer({ min: 1, max: 3 }),
  batch: fc.integer({ min: 1, max: 4 }),
  features: fc.integer({ min: 1, max: 9 }),
  units: fc.integer({ min: 1, max: 19 }),
});

/** The largest difference over the largest value, so that it says how many digits agree. */
function relativeDifference(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  const [largest, difference] = tf.tidy(() => [
    tf.max(tf.abs(b)).dataSync()[0],
    tf.max(tf.abs(tf.sub(a, b))).dataSync()[0],
  ]);
  return (difference ?? Number.NaN) / Math.max(1e-3, largest ?? 0);
}

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('NOT CHECKED: the recurrent kernels. Missing: the native engine on a CPU.');
}

describe.runIf(hasKernels).each(Object.entries(recurrentCases))('%s', (_, layer) => {
  it('is one operation each way', () => {
    const size = { rows: 2, columns: 3, batch: 2, features: 3, units: 4 };
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    valueAndGradients(inOne(layer.run('kernel', size)), givenTo(layer, size));
    const { operation } = layer;
    expect(calls.mock.calls.map(([called]) => called)).toEqual([
      operation,
      `${operation}Grad`,
      operation,
    ]);
  });

  it.each([
    ['kernel', 15],
    ['operations', 6],
    ['composed', 6],
  ] as const)(
    'equals plain tfjs operations for any shape, results and all gradients, by %s',
    (implementation, numRuns) => {
      fc.assert(
        fc.property(sizes, (size) => {
          tf.tidy(() => {
            const given = givenTo(layer, size);
            const ours = valueAndGradients(inOne(layer.run(implementation, size)), given);
            const plain = valueAndGradients(inOne(layer.plain(size)), given);
            expect(relativeDifference(ours.value, plain.value)).toBeLessThan(5e-6);
            for (const [place, gradient] of ours.gradients.entries()) {
              const expected = plain.gradients[place] as tf.Tensor;
              expect(relativeDifference(gradient, expected)).toBeLessThan(5e-5);
            }
          });
        }),
        { numRuns, seed: 11 },
      );
    },
  );

  it('has the results of float64 and the gradients of its central differences, for any shape', () => {
    fc.assert(
      fc.property(smallSizes, fc.nat(1000), (size, start) => {
        const given = givenTo(layer, size);
        const { value, gradients } = valueAndGradients(inOne(layer.run('kernel', size)), given);
        const numbers = given.map((tensor) => Float64Array.from(tensor.dataSync()));
        const weights = randomTensor('weights of the value', value.shape).dataSync();
        const exact = layer.inDouble(size, numbers);
        expect(exact.length).toBe(value.size);
        for (const [place, number] of value.dataSync().entries()) {
          expect(Math.abs(number - (exact[place] ?? Number.NaN))).toBeLessThan(1e-6);
        }
        const loss = () =>
          layer
            .inDouble(size, numbers)
            .reduce((sum, number, place) => sum + number * (weights[place] ?? 0), 0);
        for (const [which, gradient] of gradients.entries()) {
          const moved = numbers[which] ?? new Float64Array();
          const shown = gradient.dataSync();
          // Some places of each, others for each shape.
          for (let look = 0; look < Math.min(6, moved.length); look++) {
            const place = (start + look * 7) % moved.length;
            const here = moved[place] ?? Number.NaN;
            const at = (distance: number) => {
              moved[place] = here + distance;
              return loss();
            };
            const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            moved[place] = here;
            expect(Math.abs(difference - (shown[place] ?? Number.NaN))).toBeLessThan(2e-5);
          }
        }
        tf.dispose([given, value, gradients]);
      }),
      { numRuns: 20, seed: 12 },
    );
  });

  it.each(['kernel', 'operations', 'composed'] as const)(
    'leaves no tensor behind, with gradients and without, by %s',
    (implementation) => {
      const size = { rows: 2, columns: 2, batch: 3, features: 4, units: 5 };
      const given = givenTo(layer, size);
      const work = () => {
        const recurrence = inOne(layer.run(implementation, size));
        const { value, gradients } = tf.tidy(() => {
          const all = valueAndGradients(recurrence, given);
          return { value: all.value, gradients: all.gradients };
        });
        tf.dispose([value, gradients]);
      };
      work();
      const before = engine.liveTensors();
      work();
      expect(engine.liveTensors()).toBe(before);
    },
  );

  it('gives the same bits every time', () => {
    const size = { rows: 4, columns: 5, batch: 37, features: 5, units: 9 };
    const given = givenTo(layer, size);
    const bits = () =>
      tf.tidy(() => {
        const { value, gradients } = valueAndGradients(inOne(layer.run('kernel', size)), given);
        return [value, ...gradients].map((tensor) => Buffer.from(tensor.dataSync().slice().buffer));
      });
    const first = bits();
    for (let repeat = 0; repeat < 5; repeat++) expect(bits()).toEqual(first);
  });

  it('gives an example the same bits whatever the batch that it is in', () => {
    const size = { rows: 3, columns: 4, batch: 33, features: 6, units: 20 };
    const given = givenTo(layer, size);
    const only = { ...size, batch: 1 };
    const alone = layer.run(
      'kernel',
      only,
    )(
      ...given.map((tensor, place) => {
        if (place === 0) return tf.slice(tensor, [0, 17, 0], [-1, 1, -1]);
        const isState = tensor.rank === 2 && tensor.shape[0] === size.batch;
        return isState ? tf.slice(tensor, [17, 0], [1, -1]) : tensor;
      }),
    );
    for (const [place, result] of layer
      .run(
        'kernel',
        size,
      )(...given)
      .entries()) {
      const begin = result.rank === 3 ? [0, 17, 0] : [17, 0];
      const ours = tf.slice(result, begin, result.rank === 3 ? [-1, 1, -1] : [1, -1]);
      expect([...(alone[place] as tf.Tensor).dataSync()]).toEqual([...ours.dataSync()]);
    }
  });
});
