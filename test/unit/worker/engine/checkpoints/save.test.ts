import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manifestSchema } from '../../../../../shared/run.ts';
import {
  listCheckpoints,
  loadNewestCheckpoint,
} from '../../../../../worker/engine/checkpoints/load.ts';
import {
  checkpointsToRemove,
  rotateCheckpoints,
} from '../../../../../worker/engine/checkpoints/rotation.ts';
import {
  checkpointId,
  saveCheckpoint,
  sha256,
} from '../../../../../worker/engine/checkpoints/save.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'teletrain-save-')), 'checkpoints');
});
afterEach(async () => {
  await rm(join(folder, '..'), { recursive: true, force: true });
});

const save = (step: number, text = 'one') =>
  saveCheckpoint(folder, { run: 'a-run', id: checkpointId(step), step, epoch: 1, createdAt: 5 }, [
    { name: 'model.safetensors', bytes: Buffer.from(text) },
  ]);

test('a checkpoint lies there with a manifest of every file, and nothing beside it', async () => {
  const saved = await save(12);
  expect(await readdir(folder)).toEqual(['step-000000012']);
  const manifest = await readFile(join(folder, saved.id, 'manifest.json'));
  expect(manifestSchema.parse(JSON.parse(String(manifest)))).toEqual({
    format: 1,
    run: 'a-run',
    id: 'step-000000012',
    step: 12,
    epoch: 1,
    createdAt: 5,
    files: [{ name: 'model.safetensors', bytes: 3, sha256: sha256(Buffer.from('one')) }],
  });
  expect(saved).toEqual({
    id: 'step-000000012',
    bytes: 3 + manifest.length,
    manifestSha256: sha256(manifest),
  });
});

test('one of the same step is replaced as a whole', async () => {
  await save(12, 'one');
  await save(12, 'two');
  expect(await readdir(folder)).toEqual(['step-000000012']);
  expect(String(await readFile(join(folder, 'step-000000012', 'model.safetensors')))).toBe('two');
});

test('what a dying process left behind is never taken for a checkpoint, and is cleared up', async () => {
  await save(5);
  await mkdir(join(folder, '.writing-step-000000009'));
  await mkdir(join(folder, '.removing-step-000000001'));
  // It died while it replaced step 7: the old one was set aside, the new one had no name yet.
  await save(7);
  await rename(join(folder, 'step-000000007'), join(folder, '.replaced-step-000000007'));
  expect(await listCheckpoints(folder)).toEqual(['step-000000005']);

  const damaged: string[] = [];
  await loadNewestCheckpoint(folder, (id) => damaged.push(id));
  // Put back and looked at first. (Neither is whole: they have no state.)
  expect(damaged).toEqual(['step-000000007', 'step-000000005']);
  expect((await readdir(folder)).sort()).toEqual([
    '.damaged-step-000000005',
    '.damaged-step-000000007',
  ]);
});

test('a folder that is not there holds no checkpoint', async () => {
  expect(await loadNewestCheckpoint(folder)).toBeUndefined();
});

test('the latest stay, and those that must; the rest go, oldest first', async () => {
  expect(
    checkpointsToRemove(['a', 'b', 'c', 'd', 'e'], { latest: 2, always: new Set(['b']) }),
  ).toEqual(['a', 'c']);
  expect(checkpointsToRemove(['a'], { latest: 3, always: new Set() })).toEqual([]);
  for (const step of [1, 2, 3]) await save(step);
  await writeFile(join(folder, 'notes.txt'), 'mine');
  expect(await rotateCheckpoints(folder, { latest: 1, always: new Set() })).toEqual([
    'step-000000001',
    'step-000000002',
  ]);
  expect(await readdir(folder)).toEqual(['notes.txt', 'step-000000003']);
});
