import * as tf from '@tensorflow/tfjs-core';
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

describe.runIf(native)('the lookup', () => {
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
