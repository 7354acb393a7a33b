import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyCheckpoint, verifyCheckpoint } from '../../../../client/cli/checkpoint-folder.ts';

let home: string;
let checkpoint: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-checkpoint-'));
  checkpoint = join(home, 'step-000000010');
  await mkdir(checkpoint);
  const weights = 'twelve bytes';
  await writeFile(join(checkpoint, 'model.safetensors'), weights);
  const manifest = {
    format: 1,
    run: 'r',
    id: 'step-000000010',
    step: 10,
    epoch: 1,
    createdAt: 0,
    files: [
      {
        name: 'model.safetensors',
        bytes: weights.length,
        sha256: createHash('sha256').update(weights).digest('hex'),
      },
    ],
  };
  await writeFile(join(checkpoint, 'manifest.json'), JSON.stringify(manifest));
});
afterEach(() => rm(home, { recursive: true, force: true }));

it('a whole checkpoint is verified', async () => {
  expect((await verifyCheckpoint(checkpoint)).id).toBe('step-000000010');
});

it.each([
  [
    'a changed byte',
    () => writeFile(join(checkpoint, 'model.safetensors'), 'Twelve bytes'),
    'SHA-256',
  ],
  [
    'a file that is cut off',
    () => writeFile(join(checkpoint, 'model.safetensors'), 'tw'),
    '2 bytes',
  ],
  ['a missing file', () => rm(join(checkpoint, 'model.safetensors')), 'is missing'],
  ['a damaged manifest', () => writeFile(join(checkpoint, 'manifest.json'), '{'), 'is damaged'],
])('%s is found', async (_, damage, words) => {
  await damage();
  await expect(verifyCheckpoint(checkpoint)).rejects.toMatchObject({
    code: 'checkpoint-corrupt',
    message: expect.stringContaining(words),
  });
});

it('a folder without a manifest is no checkpoint', async () => {
  await expect(verifyCheckpoint(home)).rejects.toMatchObject({
    code: 'not-a-checkpoint',
    exitCode: 2,
  });
});

it('a copy has the same files, and a folder with something in it is left alone', async () => {
  const copy = await copyCheckpoint(checkpoint, join(home, 'new', 'place'));
  expect((await verifyCheckpoint(copy)).step).toBe(10);
  await writeFile(join(home, 'new', 'note.txt'), 'mine');
  await expect(copyCheckpoint(checkpoint, join(home, 'new'))).rejects.toMatchObject({
    code: 'folder-not-empty',
  });
  expect(await readFile(join(home, 'new', 'note.txt'), 'utf8')).toBe('mine');
});

it('a damaged checkpoint is not copied, and nothing is left of the try', async () => {
  await writeFile(join(checkpoint, 'model.safetensors'), 'Twelve bytes');
  await expect(copyCheckpoint(checkpoint, join(home, 'copy'))).rejects.toMatchObject({
    code: 'checkpoint-corrupt',
  });
  expect(await readdir(home)).toEqual(['step-000000010']);
});
