import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Drawing, drawingSchema } from '../../../../../shared/events.ts';
import { limits } from '../../../../../shared/limits.ts';
import type { Split } from '../../../../../worker/engine/datasets/dataset.ts';
import type { PictureModel } from '../../../../../worker/engine/models/model.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { gatherPictures } from '../../../../../worker/engine/training/batches.ts';
import { evaluateSplit } from '../../../../../worker/engine/training/evaluate.ts';
import { isPictureModel, sampleGrid } from '../../../../../worker/engine/training/samples.ts';

const random = createRandom(1);
const pixels = 28 * 28;
const split: Split = {
  count: 5,
  inputShape: [28, 28, 1],
  inputs: Uint8Array.from({ length: 5 * pixels }, () => random.nextBelow(2)),
};
/** One logit for each place, whatever the picture. */
const placeLogits = Float32Array.from({ length: pixels }, () => 6 * random.next() - 3);

const model = {
  variables: new Map(),
  logits: (pictures: tf.Tensor) =>
    tf.tile(tf.reshape(tf.tensor(placeLogits), [1, 28, 28, 1]), [pictures.shape[0] ?? 0, 1, 1, 1]),
  complete: async (
    ...[pictures, , firstRow, next, options]: Parameters<PictureModel['complete']>
  ) => {
    const completed = Uint8Array.from(pictures);
    for (let row = firstRow; row < 28; row += 1) {
      for (let at = row * 28; at < completed.length; at += pixels) {
        for (let column = 0; column < 28; column += 1)
          completed[at + column] = next() < 0.5 ? 1 : 0;
      }
      await options?.onRow?.(row, completed);
    }
    return completed;
  },
  lossAndGradients: () => {
    throw new Error('It does not learn.');
  },
  evaluate: () => {
    throw new Error('Its logits say it all.');
  },
  dispose: () => {},
} satisfies PictureModel;

test("the loss is the whole picture's, the hidden loss that of rows 14 to 27 alone", async () => {
  await tf.setBackend('cpu');
  const before = tf.memory().numTensors;
  const losses = await evaluateSplit(model, split, {
    batchSize: 2,
    gather: gatherPictures,
    gate: async () => {},
    onProgress: () => {},
  });
  expect(tf.memory().numTensors).toBe(before);
  const nats = (from: number) => {
    let total = 0;
    for (let at = 0; at < split.inputs.length; at += 1) {
      const logit = placeLogits[at % pixels] ?? 0;
      if (at % pixels >= from) total += Math.log1p(Math.exp(split.inputs[at] ? -logit : logit));
    }
    return total / split.count;
  };
  expect(losses.loss).toBeCloseTo(nats(0), 2);
  expect(losses.hiddenLoss).toBeCloseTo(nats(14 * 28), 2);
});

test('a grid shows nothing of the hidden half to the model, and is the same for the same step', async () => {
  expect(isPictureModel(model)).toBe(true);
  const progress: number[] = [];
  const grid = async (step: number) => {
    const event = await sampleGrid(
      {
        ...model,
        complete: (pictures, ...rest) => {
          for (let at = 0; at < pictures.length; at += 1) {
            if (at % pixels >= 14 * 28) expect(pictures[at]).toBe(0);
          }
          return model.complete(pictures, ...rest);
        },
      },
      split,
      {
        seed: 3,
        step,
        epoch: 1,
        count: 100,
        gate: async () => {},
        onProgress: (done) => progress.push(done),
        onDrawing: () => {},
      },
    );
    if (event.type !== 'sample') throw new Error('A grid is a sample.');
    return { ...event, pixels: inflateSync(event.pixels) };
  };
  const first = await grid(7);
  expect(first).toMatchObject({ count: 5, columns: 3, givenRows: 14, step: 7 });
  expect(progress.at(-1)).toBe(1);
  // Five digits in two rows of three: every second one first.
  [0, 2, 4, 1, 3].forEach((from, to) => {
    for (let at = 0; at < 14 * 28; at += 1) {
      const given = split.inputs[from * pixels + at] ?? 0;
      expect(first.pixels[to * pixels + at]).toBe(255 * given);
    }
  });
  expect(await grid(7)).toEqual(first);
  expect((await grid(8)).pixels).not.toEqual(first.pixels);
});

test('a grid that takes time is shown while it is drawn, no oftener than a screen shows it', async () => {
  let time = 0;
  const drawings: Omit<Drawing, 'run'>[] = [];
  const grid = (msPerRow: number) =>
    sampleGrid(model, split, {
      seed: 3,
      step: 7,
      epoch: 2,
      count: 4,
      gate: async () => {
        time += msPerRow;
      },
      onProgress: () => {},
      onDrawing: (drawing) => drawings.push(drawing),
      now: () => time,
    });
  const whole = await grid(limits.drawingMs / 2);
  if (whole.type !== 'sample') throw new Error('A grid is a sample.');
  expect(drawings.map(({ rows }) => rows)).toEqual([17, 19, 21, 23, 25, 27]);
  const final = inflateSync(whole.pixels);
  for (const drawing of drawings) {
    const shown = inflateSync(drawingSchema.parse({ run: 'one', ...drawing }).pixels);
    expect(drawing).toMatchObject({ step: 7, epoch: 2, count: 4, givenRows: 14 });
    for (let at = 0; at < shown.length; at += 1) {
      const row = Math.floor((at % pixels) / 28);
      expect(shown[at]).toBe(row < drawing.rows ? final[at] : 0);
    }
  }
  drawings.length = 0;
  expect(await grid(limits.drawingMs / 20)).toEqual(whole);
  expect(drawings).toEqual([]);
});
