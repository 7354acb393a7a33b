import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { completeSettings } from '../../../../../shared/recipes.ts';
import type { Split } from '../../../../../worker/engine/datasets/dataset.ts';
import {
  encodeReview,
  loadReviews,
  type Reviews,
} from '../../../../../worker/engine/datasets/imdb.ts';
import { loadDataset } from '../../../../../worker/engine/datasets/load.ts';
import { MersenneTwister } from '../../../../../worker/engine/datasets/mersenne-twister.ts';
import { loadMnist } from '../../../../../worker/engine/datasets/mnist.ts';
import { peersPython, runPeer } from '../../../../peers/python.ts';
import { realFilesFolder } from '../../../../peers/real-files.ts';

const python = peersPython();
const dataDir = realFilesFolder('imdb.npz', 'mnist.npz');

const sha256 = (...arrays: readonly (Uint8Array | Int32Array | Uint32Array)[]) => {
  const hash = createHash('sha256');
  for (const array of arrays) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
};

/** Lengths, then all values, as the peer hashes lists of lists. */
function ragged(reviews: Reviews, vocabulary: number): string {
  const codes = reviews.words.map((words) => encodeReview(words, vocabulary));
  const lengths = Int32Array.from(codes, (review) => review.length);
  return sha256(lengths, ...codes);
}

const splitHashes = ({ inputs, labels }: Split) => [sha256(inputs), labels && sha256(labels)];

if (python && dataDir) {
  describe('datasets equal to those of Keras, value for value', () => compare(python, dataDir));
} else {
  it('equality with the datasets of Keras could not be checked here', () => {
    const missing = [
      ...(python ? [] : ['Python with Keras (TELETRAIN_PEERS_PYTHON)']),
      ...(dataDir ? [] : ['imdb.npz and mnist.npz (TELETRAIN_DATA)']),
    ].join(' and ');
    console.warn(`NOT CHECKED: that reviews and digits equal those of Keras. Missing: ${missing}.`);
  });
}

function compare(python: string, dataDir: string): void {
  let peer: Record<string, unknown>;
  beforeAll(async () => {
    peer = JSON.parse(await runPeer(python, 'keras_datasets.py', [dataDir]));
  }, 300_000);

  it('every review of both halves, with every vocabulary', async () => {
    const { train, test } = await loadReviews({ dataDir });
    for (const [label, vocabulary] of [
      // Keras without num_words takes its largest code.
      ['all', 88_587],
      ['10000', 10_000],
      ['137', 137],
    ] as const) {
      expect(ragged(train, vocabulary), `train, ${label}`).toBe(peer[`imdb/${label}/train`]);
      expect(ragged(test, vocabulary), `test, ${label}`).toBe(peer[`imdb/${label}/test`]);
    }
  });

  it('padded rows, labels and the split of validation_split=0.2', async () => {
    for (const [vocabulary, timesteps] of [
      [10_000, 500],
      [137, 33],
    ] as const) {
      const settings = completeSettings('imdb-simple-rnn', { vocabulary, timesteps });
      const dataset = await loadDataset(settings, { dataDir });
      expect({
        train: splitHashes(dataset.train),
        validation: splitHashes(dataset.validation),
        test: splitHashes(dataset.test),
      }).toEqual(peer[`imdb/${vocabulary}/${timesteps}`]);
    }
  });

  it('every digit of MNIST', async () => {
    const { train, test } = await loadMnist({ dataDir });
    expect(
      [train.pictures, train.labels, test.pictures, test.labels].map((one) => sha256(one)),
    ).toEqual(peer.mnist);
  });

  it("numpy's seeding and shuffling, for several seeds and sizes", () => {
    for (const seed of [0, 113, 4294967295]) {
      const drawing = new MersenneTwister(seed);
      expect(Array.from({ length: 5 }, () => drawing.nextUint32())).toEqual(peer[`random/${seed}`]);
      const shuffling = new MersenneTwister(seed);
      const hashes = [1, 2, 3, 5, 624, 1000, 25_000].map((count) => {
        const order = Uint32Array.from({ length: count }, (_, index) => index);
        shuffling.shuffle(order);
        return sha256(order);
      });
      expect(hashes).toEqual(peer[`shuffle/${seed}`]);
    }
  });
}
