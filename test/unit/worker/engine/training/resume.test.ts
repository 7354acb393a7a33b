import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  listCheckpoints,
  loadNewestCheckpoint,
} from '../../../../../worker/engine/checkpoints/load.ts';
import { restoreTraining } from '../../../../../worker/engine/checkpoints/restore.ts';
import { fetchTensors } from '../../../../../worker/engine/checkpoints/tensors.ts';
import { tinyRun } from './tiny-run.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-tiny-resume-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Goes on from the newest whole checkpoint, as a new process would. */
async function resumedRun(settings: Readonly<Record<string, unknown>>, onDamaged?: () => void) {
  const checkpoint = await loadNewestCheckpoint(folder, onDamaged);
  if (!checkpoint) throw new Error('There is no whole checkpoint.');
  const run = await tinyRun(folder, settings, { progress: checkpoint.state.progress });
  restoreTraining(checkpoint, run.model.variables, run.parts.optimizer);
  return run;
}

test.each([
  { epochs: 2, optimizer: 'adam' },
  { epochs: 2, optimizer: 'rmsprop', emaMomentum: 0.8 },
])(
  'a run that is stopped at any of its steps goes on to the same metrics and weights (%o)',
  async (settings) => {
    using whole = await tinyRun(join(folder, 'whole'), settings);
    await whole.loop.run();
    const expected = whole.events.filter((event) => event.type === 'metric');
    const weights = await fetchTensors(whole.model.variables);

    for (let stopAt = 0; stopAt < 12; stopAt += 1) {
      await rm(join(folder, 'checkpoints'), { recursive: true, force: true });
      using first = await tinyRun(join(folder), { ...settings, keepCheckpoints: 1 });
      const send = first.parts.journal.send;
      first.parts.journal.send = (event) => {
        send(event);
        if (first.loop.progress.step >= stopAt) first.controls.stop('now');
      };
      if (stopAt === 0) first.controls.stop('now');
      await expect(first.loop.run()).rejects.toMatchObject({ reason: 'stop-now' });
      await first.keeper.save('stop', first.loop.progress);

      using second = await resumedRun(settings);
      await second.loop.run();
      const metrics = [...first.events, ...second.events].filter(({ type }) => type === 'metric');
      expect(metrics).toEqual(expected);
      expect(await fetchTensors(second.model.variables)).toEqual(weights);
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test('a damaged checkpoint is told of, set aside, and the one before it is used', async () => {
  using run = await tinyRun(folder, { epochs: 3 });
  await run.loop.run();
  expect(await listCheckpoints(folder)).toHaveLength(3);
  await truncate(join(folder, 'step-000000018', 'optimizer.safetensors'), 20);
  await writeFile(join(folder, 'step-000000012', 'manifest.json'), '{');
  const damaged: string[] = [];
  const newest = await loadNewestCheckpoint(folder, (id, error) =>
    damaged.push(`${id} ${error.code}`),
  );
  expect(newest?.manifest.step).toBe(6);
  expect(damaged).toEqual([
    'step-000000018 corrupt-checkpoint',
    'step-000000012 corrupt-checkpoint',
  ]);
  expect(await listCheckpoints(folder)).toEqual(['step-000000006']);
});
