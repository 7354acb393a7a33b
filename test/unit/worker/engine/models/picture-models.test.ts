import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { completeSettings } from '../../../../../shared/recipes.ts';
import { createModel } from '../../../../../worker/engine/models/create.ts';
import { drawingThreshold } from '../../../../../worker/engine/models/drawing-threshold.ts';
import { completeNaively } from '../../../../../worker/engine/models/naive-sampling.ts';
import { PixelRnn } from '../../../../../worker/engine/models/pixel-rnn.ts';
import { setBest } from '../../../../../worker/engine/ops/choose.ts';
import type { PictureSize } from '../../../../../worker/engine/ops/diagonal-order.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { largestDifference, onEachEngine } from '../on-each-engine.ts';
import { randomizeWeights } from './causality.ts';

const count = 5;

function randomPictures({ rows, columns }: PictureSize, pictures = count): Uint8Array {
  const random = createRandom(3, 'pictures');
  return Uint8Array.from({ length: pictures * rows * columns }, () => Number(random.next() < 0.4));
}

onEachEngine((engine) => {
  it('gives probabilities that add up to 1 over all pictures', () => {
    const size = { rows: 2, columns: 4 };
    const model = new PixelRnn({ seed: 4, layers: 2, units: 3, outputUnits: 4 }, size);
    randomizeWeights(model.variables, 4);
    let total = 0;
    for (let picture = 0; picture < 256; picture++) {
      const pixels = Array.from({ length: 8 }, (_, pixel) => (picture >> pixel) & 1);
      const inputs = tf.tensor4d(pixels, [1, 2, 4, 1]);
      const { loss } = model.evaluate({ inputs, targets: inputs, size: 1 });
      total += Math.exp(-(loss.dataSync()[0] ?? Number.NaN));
      tf.dispose([inputs, loss]);
    }
    model.dispose();
    expect(total).toBeCloseTo(1, 5);
  });

  it.each([0, 3, 6])(
    'draws from row %i on as evaluating all for every pixel would',
    async (row) => {
      const size = { rows: 7, columns: 6 };
      const model = new PixelRnn({ seed: 2, layers: 2, units: 3, outputUnits: 4 }, size);
      randomizeWeights(model.variables, 2);
      const given = randomPictures(size);
      const random = createRandom(9);
      const rows: number[] = [];
      // The native engine takes a tensor's values when it is first used.
      await model.complete(given, count, 5, Math.random);
      const before = engine().liveTensors();
      const completed = await model.complete(given, count, row, () => random.next(), {
        onRow: (done) => {
          rows.push(done);
        },
      });
      expect(engine().liveTensors()).toBe(before);
      const again = createRandom(9);
      const naive = { size, count, firstRow: row, random: () => again.next() };
      expect(completed).toEqual(await completeNaively(model, given, naive));
      expect(rows).toEqual([0, 1, 2, 3, 4, 5, 6].slice(row));
      model.dispose();
    },
  );

  it.each(['operations', 'composed'] as const)(
    'draws without our kernels (%s) as evaluating all for every pixel would',
    async (implementation) => {
      const size = { rows: 7, columns: 6 };
      const model = new PixelRnn({ seed: 2, layers: 2, units: 3, outputUnits: 4 }, size);
      randomizeWeights(model.variables, 2);
      const given = randomPictures(size);
      const [one, other] = [createRandom(9), createRandom(9)];
      setBest(implementation);
      try {
        const completed = await model.complete(given, count, 3, () => one.next());
        const naive = { size, count, firstRow: 3, random: () => other.next() };
        expect(completed).toEqual(await completeNaively(model, given, naive));
      } finally {
        setBest('best');
        model.dispose();
      }
    },
  );

  it.each(['best', 'composed'] as const)(
    'draws at a temperature (%s) as from logits divided by it, with the same random numbers',
    async (implementation) => {
      const size = { rows: 7, columns: 6 };
      const model = new PixelRnn({ seed: 2, layers: 1, units: 3, outputUnits: 4 }, size);
      randomizeWeights(model.variables, 2);
      const given = randomPictures(size);
      setBest(implementation);
      try {
        const at = async (temperature: number) => {
          const random = createRandom(9);
          const options = { temperature };
          const drawn = await model.complete(given, count, 3, () => random.next(), options);
          return { drawn, state: random.state() };
        };
        for (const temperature of [0.4, 2.5]) {
          const random = createRandom(9);
          const tempered = {
            logits: (pictures: tf.Tensor) => tf.div(model.logits(pictures), temperature),
          };
          const naive = { size, count, firstRow: 3, random: () => random.next() };
          const expected = await completeNaively(tempered, given, naive);
          expect(await at(temperature)).toEqual({ drawn: expected, state: random.state() });
        }
        const random = createRandom(9);
        const plain = await model.complete(given, count, 3, () => random.next());
        expect(await at(1)).toEqual({ drawn: plain, state: random.state() });
        expect((await at(0.4)).drawn).not.toEqual(plain);
      } finally {
        setBest('best');
        model.dispose();
      }
    },
  );

  it('releases everything when a sampling is stopped between two rows', async () => {
    const size = { rows: 5, columns: 4 };
    const model = new PixelRnn({ seed: 2, layers: 1, units: 3, outputUnits: 4 }, size);
    await model.complete(randomPictures(size), count, 2, Math.random);
    const before = engine().liveTensors();
    const stopped = model.complete(randomPictures(size), count, 2, Math.random, {
      onRow: (row) => {
        if (row === 3) throw new Error('stop');
      },
    });
    await expect(stopped).rejects.toThrow('stop');
    expect(engine().liveTensors()).toBe(before);
    model.dispose();
  });

  it('completes digits with the report’s network as its logits say', async () => {
    const settings = completeSettings('digits-pixel-cnn-report');
    const model = createModel('digits-pixel-cnn-report', settings);
    randomizeWeights(model.variables, 1);
    const size = { rows: 28, columns: 28 };
    const random = createRandom(9);
    const given = randomPictures(size, 2);
    const completed = await model.complete(given, 2, 26, () => random.next());
    expect(completed.slice(0, 26 * 28)).toEqual(given.slice(0, 26 * 28));
    // A pixel's logit does not depend on later ones, so the finished digits give them all.
    const logits = tf.tidy(() =>
      model.logits(tf.tensor(Float32Array.from(completed), [2, 28, 28, 1])).dataSync(),
    );
    const again = createRandom(9);
    for (let pixel = 26 * 28; pixel < 784; pixel++) {
      for (const picture of [0, 784]) {
        const threshold = drawingThreshold(again.next());
        expect(completed[picture + pixel]).toBe(Number((logits[picture + pixel] ?? 0) > threshold));
      }
    }
    model.dispose();
  });

  it('counts the nats of all pixels of a picture', () => {
    const model = createModel('digits-pixel-rnn', completeSettings('digits-pixel-rnn'));
    for (const variable of model.variables.values()) {
      tf.tidy(() => variable.assign(tf.zerosLike(variable)));
    }
    const pictures = randomPictures({ rows: 28, columns: 28 }, 2);
    const inputs = tf.tensor(Float32Array.from(pictures), [2, 28, 28, 1]);
    const { loss } = model.evaluate({ inputs, targets: inputs, size: 2 });
    expect(loss.dataSync()[0]).toBeCloseTo(784 * Math.log(2), 1);
    expect(largestDifference(model.logits(inputs), tf.zeros([2, 28, 28, 1]))).toBe(0);
    model.dispose();
  });
});
