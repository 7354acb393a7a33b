import { describe, expect, it } from 'vitest';
import { completeSettings } from '../../../../../shared/recipes.ts';
import type { Split } from '../../../../../worker/engine/datasets/dataset.ts';
import { loadDataset } from '../../../../../worker/engine/datasets/load.ts';

const tenThousand = (given: Readonly<Record<string, unknown>> = {}) =>
  loadDataset(completeSettings('digits-pixel-rnn', { dataset: 'mnist-10k', ...given }));

/** The pictures' bytes. */
const pixels = ({ inputs }: Split) =>
  new Uint8Array(inputs.buffer, inputs.byteOffset, inputs.byteLength);

const isBinary = ({ inputs }: Split) => inputs.every((pixel) => pixel === 0 || pixel === 1);

describe('loading the dataset of a run', () => {
  it('splits the 10,000 digits into 8,000, 1,000 and 1,000 binary pictures', async () => {
    const dataset = await tenThousand();
    expect(dataset).toMatchObject({ name: 'mnist-10k', binarization: 'drawn once, seed 2008' });
    for (const [split, count] of [
      [dataset.train, 8000],
      [dataset.validation, 1000],
      [dataset.test, 1000],
    ] as const) {
      expect(split).toMatchObject({ count, inputShape: [28, 28, 1] });
      expect(split.inputs).toHaveLength(count * 784);
      expect(split.inputs).toBeInstanceOf(Uint8Array);
      expect(split.labels).toHaveLength(count);
      expect(isBinary(split)).toBe(true);
    }
  });

  it('takes the first examples of each split, the same as those of the whole', async () => {
    const [whole, part] = await Promise.all([
      tenThousand(),
      tenThousand({ trainExamples: 300, validationExamples: 20, testExamples: 10 }),
    ]);
    for (const [name, count] of [
      ['train', 300],
      ['validation', 20],
      ['test', 10],
    ] as const) {
      expect(part[name].count).toBe(count);
      const first = pixels(whole[name]).subarray(0, count * 784);
      expect(Buffer.compare(pixels(part[name]), first)).toBe(0);
      expect(part[name].labels).toEqual(whole[name].labels?.slice(0, count));
    }
  });

  it('gives every run the same pictures, whatever its seed', async () => {
    const [one, other] = await Promise.all([tenThousand({ seed: 1 }), tenThousand({ seed: 2 })]);
    for (const name of ['train', 'validation', 'test'] as const) {
      expect(Buffer.compare(pixels(other[name]), pixels(one[name]))).toBe(0);
    }
  });

  it('refuses to give fewer examples than were asked for', async () => {
    await expect(tenThousand({ trainExamples: 8001 })).rejects.toMatchObject({
      code: 'bad-setting',
      exitCode: 2,
      message: expect.stringContaining('8000'),
      hint: expect.stringContaining('at most 8000'),
    });
  });

  it('stops with the reason of its signal', async () => {
    const reason = new Error('stopped');
    const loading = loadDataset(completeSettings('digits-pixel-rnn', { dataset: 'mnist-10k' }), {
      signal: AbortSignal.abort(reason),
    });
    await expect(loading).rejects.toBe(reason);
  });
});
