import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { denseGradient } from '../../../../../worker/engine/models/gradients.ts';
import { chooseKernels } from '../../../../../worker/engine/ops/choose.ts';
import { embedding, lookUp, lookUpGradient } from '../../../../../worker/engine/ops/embedding.ts';
import type { NativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { largestDifference, randomTensor } from '../on-each-engine.ts';

await openEngine();
const native = chooseKernels('best');
if (native === undefined) {
  console.warn('NOT CHECKED: the embedding’s kernels. Missing: the native engine on a CPU.');
}
afterAll(() => tf.disposeVariables());

const cases = [
  { batch: 1, timesteps: 1, vocabulary: 1, units: 1 },
  { batch: 3, timesteps: 5, vocabulary: 7, units: 3 },
  { batch: 17, timesteps: 33, vocabulary: 40, units: 16 },
  { batch: 128, timesteps: 70, vocabulary: 900, units: 32 },
  { batch: 40, timesteps: 150, vocabulary: 3, units: 50 },
  { batch: 2, timesteps: 9, vocabulary: 100, units: 131 },
];

/** Half of the tokens are 0, as in padded reviews. */
function tokensOf({ batch, timesteps, vocabulary }: (typeof cases)[number]): tf.Tensor2D {
  const random = createRandom(batch, 'tokens');
  const tokens = Int32Array.from({ length: batch * timesteps }, () =>
    random.next() < 0.5 ? 0 : random.nextBelow(vocabulary),
  );
  return tf.tensor2d(tokens, [batch, timesteps], 'int32');
}

describe.runIf(native).each(cases)(
  'the lookup of $batch x $timesteps tokens among $vocabulary of $units units',
  (size) => {
    const kernels = native as NativeDispatch;
    const tokens = tokensOf(size);
    const table = randomTensor<tf.Rank.R2>('table', [size.vocabulary, size.units]);
    const dy = randomTensor<tf.Rank.R3>('dy', [size.timesteps, size.batch, size.units]);

    it('gives the rows of the table, time-major', () => {
      const expected = embedding(table, tf.transpose(tokens));
      expect(largestDifference(lookUp(kernels, table, tokens), expected)).toBe(0);
    });

    it('has the gradient of the plain operations, of the rows that were read', () => {
      const { rows, values } = lookUpGradient(kernels, size.vocabulary, tokens, dy);
      const read = [...new Set(tokens.dataSync())].sort((a, b) => a - b);
      expect([...rows.dataSync()]).toEqual(read);
      const [expected] = tf.grads((given: tf.Tensor) =>
        embedding(given as tf.Tensor2D, tf.transpose(tokens)),
      )([table], dy) as [tf.Tensor];
      const found = denseGradient({ rows, values }, table.shape);
      expect(largestDifference(found, expected)).toBeLessThan(5e-4);
    });

    it('gives the same bits every time', () => {
      const once = lookUpGradient(kernels, size.vocabulary, tokens, dy).values.dataSync();
      expect(lookUpGradient(kernels, size.vocabulary, tokens, dy).values.dataSync()).toEqual(once);
    });
  },
);

interface LookUp {
  readonly batch: number;
  readonly timesteps: number;
  readonly vocabulary: number;
  readonly units: number;
  /** [batch, timesteps], many of them the same. */
  readonly tokens: Int32Array;
  /** [timesteps, batch, units] */
  readonly dy: Float32Array;
}

const lookUps: fc.Arbitrary<LookUp> = fc
  .record({
    batch: fc.integer({ min: 1, max: 40 }),
    timesteps: fc.integer({ min: 1, max: 40 }),
    vocabulary: fc.integer({ min: 1, max: 300 }),
    units: fc.integer({ min: 1, max: 70 }),
    different: fc.integer({ min: 1, max: 300 }),
    seed: fc.nat(),
  })
  .map(({ different, seed, ...size }) => {
    const random = createRandom(seed, 'tokens');
    const used = Array.from({ length: different }, () => random.nextBelow(size.vocabulary));
    const tokens = Int32Array.from(
      { length: size.batch * size.timesteps },
      () => used[random.nextBelow(different)] ?? 0,
    );
    const dy = Float32Array.from(
      { length: tokens.length * size.units },
      () => 2 * random.next() - 1,
    );
    return { ...size, tokens, dy };
  });

/** By token the sum of its vectors' gradients, and of their absolute values, which bounds the rounding. */
function sumsByToken({ batch, timesteps, units, tokens, dy }: LookUp) {
  const sums = new Map<number, { count: number; sum: Float64Array; size: Float64Array }>();
  for (const [place, token] of tokens.entries()) {
    const row = (place % timesteps) * batch + Math.floor(place / timesteps);
    const known = sums.get(token);
    const total = known ?? {
      count: 0,
      sum: new Float64Array(units),
      size: new Float64Array(units),
    };
    total.count++;
    for (let unit = 0; unit < units; unit++) {
      const value = dy[row * units + unit] ?? Number.NaN;
      total.sum[unit] = (total.sum[unit] ?? 0) + value;
      total.size[unit] = (total.size[unit] ?? 0) + Math.abs(value);
    }
    sums.set(token, total);
  }
  return new Map([...sums].sort(([one], [other]) => one - other));
}

describe.runIf(native)('the lookup', () => {
  it('gives each token its row, and a row the exact sum of its gradients but for rounding', () => {
    const kernels = native as NativeDispatch;
    fc.assert(
      fc.property(lookUps, (given) =>
        tf.tidy(() => {
          const { batch, timesteps, vocabulary, units } = given;
          const tokens = tf.tensor2d(given.tokens, [batch, timesteps], 'int32');
          const table = randomTensor<tf.Rank.R2>('table', [vocabulary, units]);
          const vectors = lookUp(kernels, table, tokens).dataSync();
          const rowsOfTable = table.dataSync();
          for (const [place, token] of given.tokens.entries()) {
            const row = (place % timesteps) * batch + Math.floor(place / timesteps);
            expect(vectors.subarray(row * units, (row + 1) * units)).toEqual(
              rowsOfTable.subarray(token * units, (token + 1) * units),
            );
          }
          const dy = tf.tensor3d(given.dy, [timesteps, batch, units]);
          const { rows, values } = lookUpGradient(kernels, vocabulary, tokens, dy);
          const expected = sumsByToken(given);
          expect([...rows.dataSync()]).toEqual([...expected.keys()]);
          const found = values.dataSync();
          const excess = [...expected.values()].map(({ count, sum, size }, row) =>
            sum.map((value, unit) => {
              const difference = Math.abs((found[row * units + unit] ?? Number.NaN) - value);
              // Each of the additions rounds what is summed by at most half of 2^-23 of it.
              return difference - count * 2 ** -24 * (size[unit] ?? 0);
            }),
          );
          // NaN is not below either.
          expect(excess.every((row) => row.every((value) => value <= 0))).toBe(true);
        }),
      ),
      { numRuns: 60, seed: 13 },
    );
  });

  it.each([-1, 30, 2 ** 31 - 1])('refuses the token %s of a vocabulary of 30', (token) => {
    const kernels = native as NativeDispatch;
    const table = randomTensor<tf.Rank.R2>('table', [30, 4]);
    const tokens = tf.tensor2d([[3, token]], undefined, 'int32');
    expect(() => lookUp(kernels, table, tokens)).toThrow(
      `argument tokens holds the token ${token}, which is not within the vocabulary of 30`,
    );
    const dy = randomTensor<tf.Rank.R3>('dy', [2, 1, 4]);
    expect(() => lookUpGradient(kernels, 30, tokens, dy)).toThrow(/argument tokens holds/);
  });

  it('refuses a gradient of another shape', () => {
    const tokens = tf.tensor2d([[3, 1]], undefined, 'int32');
    const dy = randomTensor<tf.Rank.R3>('dy', [1, 2, 4]);
    expect(() => lookUpGradient(native as NativeDispatch, 30, tokens, dy)).toThrow(
      'argument outputs_gradient has the shape [1, 2, 4], not [2, 1, 4]',
    );
  });
});
