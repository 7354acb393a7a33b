import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EventBody } from '../../../../../shared/events.ts';
import { testRun } from '../../../../../worker/engine/training/test-split.ts';
import { tinyRun } from './tiny-run.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-test-split-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const tested = (events: readonly EventBody[]) =>
  events.flatMap((event) =>
    event.type === 'metric' && event.split === 'test'
      ? [{ name: event.name, step: event.step, epoch: event.epoch, value: event.value }]
      : [],
  );

/** A run whose first epoch stays the best: its weights are made worse before the second. */
async function runThatGetsWorse() {
  const run = await tinyRun(folder, { epochs: 2, learningRate: 0.01 });
  const { send } = run.parts.journal;
  run.parts.journal.send = (event) => {
    send(event);
    if (event.type !== 'checkpoint' || event.epoch !== 1) return;
    const [weights] = run.model.variables.values();
    weights?.assign(worse);
  };
  await run.loop.run();
  expect(run.loop.progress.earlyStopping.best?.epoch).toBe(1);
  return run;
}

let worse: tf.Tensor;
beforeEach(async () => {
  await tf.setBackend('cpu');
  worse = tf.tensor2d([[-9], [4], [4], [4]]);
});

test('the test split is not scored before the end', async () => {
  using run = await runThatGetsWorse();
  expect(tested(run.events)).toEqual([]);
});

test('the last weights and the best by validation are tested, both reported at the end', async () => {
  using run = await runThatGetsWorse();
  await testRun(run.parts, run.loop.progress);
  const metrics = tested(run.events);
  expect(metrics.map(({ name, step, epoch }) => [name, step, epoch])).toEqual([
    ['bestLoss', 12, 2],
    ['bestAccuracy', 12, 2],
    ['loss', 12, 2],
    ['accuracy', 12, 2],
  ]);
  const [best, , last] = metrics.map(({ value }) => value);
  expect(best).toBeLessThan(last ?? 0);
});

test('where the best checkpoint is not on this worker, that is said and the last is tested', async () => {
  using run = await runThatGetsWorse();
  await rm(join(folder, 'step-000000006'), { recursive: true });
  await testRun(run.parts, run.loop.progress);
  expect(tested(run.events).map(({ name }) => name)).toEqual(['loss', 'accuracy']);
  expect(run.events).toContainEqual({
    type: 'log',
    level: 'warning',
    message: expect.stringContaining('The best weights (epoch 1) are not tested'),
  });
});
