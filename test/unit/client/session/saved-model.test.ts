import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clientFolders } from '../../../../client/session/folders.ts';
import { RunStore } from '../../../../client/session/run-store.ts';
import { newestSavedModel } from '../../../../client/session/saved-model.ts';
import { completeSettings, type RecipeName } from '../../../../shared/recipes.ts';
import type { Manifest } from '../../../../shared/run.ts';

let home: string;
let store: RunStore;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-saved-'));
  store = new RunStore(clientFolders({ TELETRAIN_HOME: home }).runs);
});
afterEach(() => rm(home, { recursive: true }));

async function createRun(id: string, recipe: RecipeName, createdAt: number): Promise<void> {
  const settings = completeSettings(recipe, {});
  const record = { id, recipe, settings, quick: false, createdAt, version: '0.1.0' };
  await store.create({ format: 1, ...record }, { worker: 'colab', url: 'ws://127.0.0.1:1/' });
}

async function createCheckpoint(run: string, step: number, weights: string): Promise<string> {
  const id = `step-${String(step).padStart(9, '0')}`;
  const folder = join(store.directoryOf(run), 'checkpoints', id);
  await mkdir(folder, { recursive: true });
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const manifest: Manifest = {
    ...{ format: 1, run, id, step, epoch: 1, createdAt: 1 },
    files: [{ name: 'model.safetensors', bytes: weights.length, sha256 }],
  };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'model.safetensors'), weights);
  return folder;
}

test('the newest checkpoint of the newest run that has one is found, by recipe and by run', async () => {
  expect(await newestSavedModel({ home })).toBeUndefined();
  await createRun('digits-old', 'digits-pixel-rnn', 1);
  await createRun('reviews', 'imdb-lstm', 2);
  await createRun('digits-new', 'digits-pixel-rnn', 3);
  await createCheckpoint('digits-old', 20, 'old 20');
  await createCheckpoint('digits-old', 3, 'old 3');
  await createCheckpoint('reviews', 5, 'reviews 5');
  expect(await newestSavedModel({ home })).toMatchObject({ run: 'reviews', recipe: 'imdb-lstm' });
  const digits = await newestSavedModel({ home, recipe: 'digits-pixel-rnn' });
  expect(digits).toMatchObject({ run: 'digits-old', step: 20, settings: { units: 32 } });
  expect(String(await digits?.readWeights())).toBe('old 20');
  expect(await newestSavedModel({ home, run: 'rev' })).toMatchObject({ step: 5 });
  expect(await newestSavedModel({ home, run: 'digits-new' })).toBeUndefined();
  expect(await newestSavedModel({ home, run: 'nobody' })).toBeUndefined();
});

test('weights that are not those of the manifest are not given', async () => {
  await createRun('digits', 'digits-pixel-rnn', 1);
  const folder = await createCheckpoint('digits', 1, 'weights');
  const saved = await newestSavedModel({ home });
  await writeFile(join(folder, 'model.safetensors'), 'weighty');
  await expect(saved?.readWeights()).rejects.toMatchObject({ code: 'checkpoint-corrupt' });
});
