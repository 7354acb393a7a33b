import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { InputFolder } from '../../../../worker/benchmarks/inputs.ts';
import { readPictures, readReviews } from '../../../../worker/benchmarks/read-inputs.ts';

const shape = { batches: 2, batch: 128, timesteps: 500, vocabulary: 10_000 };
const asked = {
  ...({ kind: 'sentiment', layer: 'LSTM', layers: 1, units: 32, embeddingUnits: 32 } as const),
  ...{ learningRate: 0.001, ...shape },
};

it('made reviews are as varied as real ones, and the same every time', async () => {
  await using folder = await InputFolder.make();
  const [first, second] = readReviews({ ...asked, inputs: await folder.reviews('a', shape) });
  const again = readReviews({ ...asked, inputs: await folder.reviews('a', shape) });
  expect(again[0]).toEqual(first);
  expect(second?.tokens).not.toEqual(first?.tokens);
  const words = first?.tokens ?? new Int32Array();
  expect(Math.max(...words)).toBeLessThan(10_000);
  // A batch of 128 real reviews has 4,000 different words in 28,600 places.
  expect(new Set(words).size).toBeGreaterThan(3_700);
  expect(new Set(words).size).toBeLessThan(4_400);
  const places = words.filter((word) => word > 0).length;
  expect(places).toBeGreaterThan(25_000);
  expect(places).toBeLessThan(32_000);
  expect(new Set(first?.labels)).toEqual(new Set([0, 1]));
});

it('made pictures have a fifth of their pixels set', async () => {
  await using folder = await InputFolder.make();
  const batches = readPictures({
    ...{ kind: 'pixel-rnn', layers: 1, units: 4, outputUnits: 4, learningRate: 1, clipNorm: 1 },
    ...{ batches: 3, batch: 10, inputs: await folder.pictures('b', 30) },
  });
  expect(batches.map(({ length }) => length)).toEqual([7840, 7840, 7840]);
  const set = batches.flatMap((pixels) => [...pixels]).reduce((sum, pixel) => sum + pixel, 0);
  expect(set / (3 * 7840)).toBeCloseTo(0.2, 1);
});

it('the folder goes with its owner', async () => {
  let path: string;
  {
    await using folder = await InputFolder.make();
    path = await folder.pictures('c', 1);
    expect(existsSync(path)).toBe(true);
  }
  expect(existsSync(dirname(path))).toBe(false);
});
