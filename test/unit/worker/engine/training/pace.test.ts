import { expect, test } from 'vitest';
import { Pace, type RemainingWork } from '../../../../../worker/engine/training/pace.ts';

const work: RemainingWork = {
  steps: 100,
  validations: 2,
  sampleGrids: 3,
  testsInValidations: 4,
  validationInSteps: 10,
};

test('nothing is foretold before enough steps were timed, and slow first steps do not count', () => {
  const pace = new Pace();
  for (let step = 0; step < 3; step += 1) pace.step(step, 5_000, 32);
  for (let step = 3; step < 7; step += 1) pace.step(step, 100, 32);
  expect(pace.remainingMs(work)).toBeUndefined();
  pace.step(7, 100, 32);
  expect(pace.remainingMs(work)).toBeCloseTo(100 * 100 + 6 * 10 * 100);
});

test('validations, tests and grids count with the time they last took', () => {
  const pace = new Pace();
  for (let step = 0; step < 20; step += 1) pace.step(100 * step, 100, 32);
  pace.validation(400);
  pace.sampleGrid(2_000);
  expect(pace.remainingMs(work)).toBeCloseTo(100 * 100 + 6 * 400 + 3 * 2_000);
});

test('throughput is that of the last ten seconds of steps', () => {
  const pace = new Pace();
  expect(pace.examplesPerSecond()).toBe(0);
  for (let at = 0; at < 10_000; at += 500) pace.step(at, 500, 10);
  expect(pace.examplesPerSecond()).toBeCloseTo(20);
  for (let at = 20_000; at < 31_000; at += 100) pace.step(at, 100, 10);
  expect(pace.examplesPerSecond()).toBeCloseTo(100);
});
