import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  listCheckpoints,
  loadNewestCheckpoint,
} from '../../../../../worker/engine/checkpoints/load.ts';
import { fetchTensors } from '../../../../../worker/engine/checkpoints/tensors.ts';
import { testRun } from '../../../../../worker/engine/training/test-split.ts';
import { tinyRun } from './tiny-run.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-loop-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('an epoch gives each step, then the means over its examples, validation, and a checkpoint', async () => {
  using run = await tinyRun(folder, { epochs: 1 });
  expect(await run.loop.run()).toBe('epochs');
  const losses = run.events.flatMap((event) =>
    event.type === 'metric' && event.name === 'loss' && event.per === 'step' ? [event.value] : [],
  );
  expect(losses).toHaveLength(6);
  const mean = run.events.find((event) => event.type === 'metric' && event.per === 'epoch');
  // Five batches of four and one of two.
  const expected = losses.reduce((sum, loss, at) => sum + loss * (at < 5 ? 4 : 2), 0) / 22;
  expect(mean).toMatchObject({ split: 'train', name: 'loss', value: expected });
  expect(losses[0]).toBeCloseTo(Math.LN2, 6);
  expect(run.events.slice(-2).map(({ type }) => type)).toEqual(['epoch', 'checkpoint']);
});

test('no tensor is left over by an epoch', async () => {
  using run = await tinyRun(folder, { epochs: 4, clipNorm: 1 });
  await run.loop.run();
  const handles = run.events.flatMap((event) =>
    event.type === 'epoch' ? [event.liveTensors] : [],
  );
  expect(new Set(handles).size).toBe(1);
  expect(run.events.some((event) => event.type === 'log')).toBe(false);
});

test('with averaging, the averages are validated, tested and saved, and training goes on without them', async () => {
  const settings = { epochs: 2, learningRate: 0.05 };
  using plain = await tinyRun(join(folder, 'plain'), settings);
  await plain.loop.run();
  using run = await tinyRun(folder, { ...settings, emaMomentum: 0.9 });
  await run.loop.run();
  const metrics = ({ events }: typeof run, split: string) =>
    events.filter((event) => event.type === 'metric' && event.split === split);
  expect(metrics(run, 'train')).toEqual(metrics(plain, 'train'));
  expect(metrics(run, 'validation')).not.toEqual(metrics(plain, 'validation'));

  const newest = await loadNewestCheckpoint(folder);
  const averages = await run.parts.optimizer.withAverages(() => fetchTensors(run.model.variables));
  expect(newest?.weights).toEqual(averages);
  expect(newest?.slots.get('rmsprop/dense/kernel/trained')).toEqual(
    (await fetchTensors(plain.model.variables)).get('dense/kernel'),
  );
  await testRun(run.parts, run.loop.progress);
  await testRun(plain.parts, plain.loop.progress);
  expect(metrics(run, 'test')).not.toEqual(metrics(plain, 'test'));
});

test('tensors that grow from epoch to epoch are warned of', async () => {
  let handles = 10;
  using run = await tinyRun(folder, { epochs: 3 }, { liveTensors: () => handles++ });
  await run.loop.run();
  const warnings = run.events.filter((event) => event.type === 'log');
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatchObject({ level: 'warning', message: expect.stringContaining('grew') });
});

test('a loss that is NaN is reported, is not learned from, and ends the run', async () => {
  using run = await tinyRun(folder);
  run.model.brokenAtBatch = 3;
  await expect(run.loop.run()).rejects.toMatchObject({
    code: 'not-finite',
    message: 'The training loss at step 3 is NaN.',
  });
  expect(run.events.findLast((event) => event.type === 'metric' && event.name === 'loss')).toEqual({
    type: 'metric',
    step: 3,
    epoch: 1,
    split: 'train',
    per: 'step',
    name: 'loss',
    value: Number.NaN,
  });
  expect(run.loop.progress.step).toBe(2);
});

test('broken weights are never saved', async () => {
  using run = await tinyRun(folder);
  const [variable] = run.model.variables.values();
  variable?.assign(tf.mul(variable, Number.NaN));
  await expect(run.keeper.save('stop', run.loop.progress)).rejects.toMatchObject({
    code: 'not-finite',
  });
  expect(await listCheckpoints(folder)).toEqual([]);
});

test('patience counts epochs without a better validation loss', async () => {
  using run = await tinyRun(folder, { epochs: 50, patience: 3, learningRate: 1e-30 });
  expect(await run.loop.run()).toBe('patience');
  expect(run.loop.progress.epoch).toBe(4);
  const best = run.events.flatMap((event) => (event.type === 'checkpoint' ? [event.best] : []));
  expect(best).toEqual([true, false, false, false]);
});

test('the number of epochs may change while it runs, to fewer than were done', async () => {
  using run = await tinyRun(folder, { epochs: 9 });
  const ended = run.loop.run();
  run.loop.changeLimits({ epochs: 1 });
  expect(await ended).toBe('epochs');
  expect(run.loop.progress.epoch).toBe(1);
});

test('a checkpoint is written when the last one is older than checkpointMinutes', async () => {
  using run = await tinyRun(folder, { epochs: 1, checkpointMinutes: 1e-9, keepCheckpoints: 9 });
  await run.loop.run();
  const saved = run.events.flatMap((event) =>
    event.type === 'checkpoint' ? [`${event.step} ${event.reason}`] : [],
  );
  expect(saved).toEqual(['1 time', '2 time', '3 time', '4 time', '5 time', '6 end']);
});

test("metrics are on the gateway's disk before the checkpoint that follows them is there", async () => {
  const kept: { events: number; checkpoints: string[] }[] = [];
  using run = await tinyRun(
    folder,
    { epochs: 2 },
    {
      kept: async () => {
        kept.push({ events: run.events.length, checkpoints: await listCheckpoints(folder) });
      },
    },
  );
  await run.loop.run();
  const told = run.events.flatMap((event, at) => (event.type === 'checkpoint' ? [at] : []));
  expect(told).toHaveLength(2);
  expect(kept).toContainEqual({ events: told[0], checkpoints: [] });
  expect(kept).toContainEqual({ events: told[1], checkpoints: ['step-000000006'] });
});

test('a disk that takes no checkpoint is told of, and only ends a run that counts on one', async () => {
  const blocked = join(folder, 'file');
  await writeFile(blocked, '');
  using run = await tinyRun(join(blocked, 'checkpoints'));
  await expect(run.loop.run()).rejects.toMatchObject({ code: 'checkpoint-failed' });
  expect(run.loop.progress.epoch).toBe(2);
  expect(run.events.filter((event) => event.type === 'log')).toMatchObject([{ level: 'error' }]);
});
