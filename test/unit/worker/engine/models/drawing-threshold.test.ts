import { expect, it } from 'vitest';
import {
  drawingThreshold,
  rowThresholds,
} from '../../../../../worker/engine/models/drawing-threshold.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';

const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));

it('draws as comparing the random number with the sigmoid does', () => {
  const random = createRandom(5, 'thresholds');
  for (let draw = 0; draw < 20_000; draw++) {
    const uniform = random.next();
    const logit = Math.fround(16 * random.next() - 8);
    const probability = sigmoid(logit);
    // Closer than the threshold's rounding, both answers are right.
    if (Math.abs(uniform - probability) < 2e-8) continue;
    expect(logit > drawingThreshold(uniform)).toBe(uniform < probability);
  }
});

it('moves no probability by more than 1.4e-8', () => {
  const random = createRandom(6, 'thresholds');
  for (let draw = 0; draw < 20_000; draw++) {
    const uniform = random.next();
    expect(Math.abs(sigmoid(drawingThreshold(uniform)) - uniform)).toBeLessThan(1.4e-8);
  }
});

it('is exact at the ends: nothing is below 0, and no logit is as sure as 1', () => {
  expect(drawingThreshold(0)).toBe(Number.NEGATIVE_INFINITY);
  expect(drawingThreshold(0.5)).toBe(0);
  // The largest number below 1 that a generator of 53 bits gives.
  expect(drawingThreshold(1 - 2 ** -53)).toBe(Math.fround(53 * Math.LN2));
});

it.each([0.01, 0.5, 1, 3, 50])(
  'draws at temperature %d as from a logit divided by it',
  (temperature) => {
    const random = createRandom(7, 'thresholds');
    for (let draw = 0; draw < 5000; draw++) {
      const uniform = random.next();
      const logit = Math.fround(16 * random.next() - 8);
      const probability = sigmoid(logit / temperature);
      if (Math.abs(uniform - probability) < 2e-8) continue;
      expect(logit > drawingThreshold(uniform, temperature)).toBe(uniform < probability);
    }
  },
);

it('takes one random number for each pixel, picture by picture', () => {
  let next = 0;
  const numbers = [0.5, 0.75, 0.25, 0.875, 0.125, 0];
  const row = rowThresholds(2, 3, () => numbers[next++] ?? Number.NaN);
  expect(row).toEqual(Float32Array.from(numbers, (number) => drawingThreshold(number)));
  expect(next).toBe(6);
});
