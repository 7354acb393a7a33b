import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, test } from 'vitest';
import {
  batchCount,
  batchRange,
  disposeBatch,
  gatherPictures,
  gatherReviews,
} from '../../../../../worker/engine/training/batches.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

test('a pass has a smaller last batch rather than leave examples out', () => {
  expect(batchCount(20_000, 128)).toBe(157);
  expect(batchRange(156, 128, 20_000)).toEqual({ from: 19_968, to: 20_000 });
});

test('reviews and labels are taken by the order, rows whole', () => {
  const split = {
    count: 3,
    inputShape: [2],
    inputs: Int32Array.of(1, 2, 3, 4, 5, 6),
    labels: Uint8Array.of(0, 1, 0),
  };
  const before = tf.memory().numTensors;
  const batch = gatherReviews(split, 1, 3, Uint32Array.of(0, 2, 1));
  expect(batch.inputs.arraySync()).toEqual([
    [5, 6],
    [3, 4],
  ]);
  expect(batch.inputs.dtype).toBe('int32');
  expect(batch.targets.arraySync()).toEqual([0, 1]);
  disposeBatch(batch);
  expect(tf.memory().numTensors).toBe(before);
});

test('pictures are their own targets, and are given back once', () => {
  const split = { count: 2, inputShape: [1, 2, 1], inputs: Uint8Array.of(0, 1, 1, 1) };
  const before = tf.memory().numTensors;
  const batch = gatherPictures(split, 0, 2);
  expect(batch.targets).toBe(batch.inputs);
  expect(batch.inputs.shape).toEqual([2, 1, 2, 1]);
  expect([...batch.inputs.dataSync()]).toEqual([0, 1, 1, 1]);
  disposeBatch(batch);
  expect(tf.memory().numTensors).toBe(before);
});
