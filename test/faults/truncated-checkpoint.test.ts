import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { checkpointAtHome, downloadCheckpoint } from '../../client/session/download-checkpoint.ts';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { Manifest, RunRecord } from '../../shared/run.ts';
import { manifestSchema } from '../../shared/run.ts';
import { checkpointFiles } from '../../worker/engine/checkpoints/files.ts';
import { loadNewestCheckpoint } from '../../worker/engine/checkpoints/load.ts';
import {
  type CheckpointFile,
  checkpointId,
  type SavedCheckpoint,
  saveCheckpoint,
} from '../../worker/engine/checkpoints/save.ts';
import { type CheckpointState, initialProgress } from '../../worker/engine/checkpoints/state.ts';
import { createRandom } from '../../worker/engine/random.ts';
import { readCheckpointFile } from '../../worker/gateway/files.ts';
import { RunDirectory } from '../../worker/gateway/run-directory.ts';
import { Runs } from '../../worker/gateway/runs.ts';
import { Uploads } from '../../worker/gateway/uploads.ts';
import { temporaryHome } from '../integration/support/worker-process.ts';

const run = 'one';
const steps = { before: 10, newest: 20 };
const newest = checkpointId(steps.newest);
const flips = 100;

const report: EngineReport = {
  ...{ kind: 'wasm', device: 'cpu', tfjsVersion: '4.22.0', nodeVersion: process.version },
  ...{ threads: 1, cpu: 'any', cpuFeatures: [], candidates: [] },
};

function stateAt(step: number): CheckpointState {
  return {
    ...{ format: 1, run, recipe: 'digits-pixel-rnn', settings: {}, version: '0.1.0' },
    ...{ engine: report, dataset: { name: 'made-up', sources: [] }, random: { seed: 1 } },
    optimizer: { iterations: step },
    progress: { ...initialProgress({ epochs: 3, patience: 0 }), step },
  };
}

/** Those that a resume reads. */
function trainingFiles(step: number): CheckpointFile[] {
  const tensor = { shape: [2], values: Float32Array.of(step, -step) };
  const files = checkpointFiles({
    state: stateAt(step),
    weights: new Map([['dense/kernel', tensor]]),
    slots: new Map([['adam/dense/kernel', tensor]]),
  });
  return files.filter(({ name }) => name !== 'load_keras.py');
}

/** Contents do not matter on the way home. */
const smallFiles = (step: number): CheckpointFile[] => [
  { name: 'model.safetensors', bytes: Buffer.alloc(40, step) },
  { name: 'state.json', bytes: Buffer.from('{"step":20}') },
];

const save = (
  folder: string,
  step: number,
  files: readonly CheckpointFile[],
): Promise<SavedCheckpoint> => {
  const about = { run, id: checkpointId(step), step, epoch: 1, createdAt: 5 };
  return saveCheckpoint(folder, about, files);
};

interface Spoiled {
  readonly name: string;
  readonly bytes: Buffer;
  readonly what: string;
}

/** Each file of a checkpoint without its last bytes, down to none, then with a changed bit anywhere. */
async function* spoilings(folder: string): AsyncGenerator<Spoiled> {
  const random = createRandom(7, 'flips');
  for (const name of (await readdir(folder)).sort()) {
    const whole = await readFile(join(folder, name));
    for (let size = 0; size < whole.length; size += 1) {
      yield { name, bytes: whole.subarray(0, size), what: `${name} of ${size} bytes` };
    }
    for (let count = 0; count < flips; count += 1) {
      const at = random.nextBelow(whole.length);
      const bit = random.nextBelow(8);
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      yield { name, bytes, what: `${name} with bit ${bit} of byte ${at} changed` };
    }
    await writeFile(join(folder, name), whole);
  }
}

/** Whether a spoiled manifest still names the same step and files: only its spaces or its times are others. */
function namesTheSameFiles(spoiled: Buffer, whole: Buffer): boolean {
  try {
    const [one, other] = [spoiled, whole].map((bytes) => {
      const { id, step, files } = manifestSchema.parse(JSON.parse(String(bytes)));
      return { id, step, files };
    });
    return isDeepStrictEqual(one, other);
  } catch {
    return false;
  }
}

test('a run goes on from the checkpoint before one of whose files any end is missing or any bit is changed', async () => {
  await using folder = await temporaryHome();
  await save(folder.path, steps.before, trainingFiles(steps.before));
  await save(folder.path, steps.newest, trainingFiles(steps.newest));
  const newestFolder = join(folder.path, newest);
  const manifest = await readFile(join(newestFolder, 'manifest.json'));
  let count = 0;
  for await (const { name, bytes, what } of spoilings(newestFolder)) {
    await writeFile(join(newestFolder, name), bytes);
    const damaged: string[] = [];
    const found = await loadNewestCheckpoint(folder.path, (id) => damaged.push(id));
    if (name === 'manifest.json' && namesTheSameFiles(bytes, manifest)) {
      // The files were checked by it, and nothing of what a run goes on with is in the rest.
      expect(found?.state, what).toEqual(stateAt(steps.newest));
    } else {
      expect(damaged, what).toEqual([newest]);
      expect(found?.state, what).toEqual(stateAt(steps.before));
      await rename(join(folder.path, `.damaged-${newest}`), newestFolder);
    }
    count += 1;
  }
  expect(count).toBeGreaterThan(1000);
});

test('no checkpoint of which any end is missing or any bit is changed comes home', async () => {
  await using folder = await temporaryHome();
  const directory = new RunDirectory(join(folder.path, 'run'));
  const home = join(folder.path, 'home');
  const { manifestSha256 } = await save(
    directory.checkpointsPath,
    steps.newest,
    smallFiles(steps.newest),
  );
  const source = {
    ...{ run, checkpoint: newest, manifestSha256 },
    read: (file: string, offset: number, length: number) =>
      readCheckpointFile(directory, newest, file, offset, length),
  };
  const signal = new AbortController().signal;
  for await (const { name, bytes, what } of spoilings(directory.checkpointPath(newest))) {
    await writeFile(join(directory.checkpointPath(newest), name), bytes);
    await expect(
      downloadCheckpoint(home, source, () => {}, signal),
      what,
    ).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
    });
    expect(await readdir(home), what).toEqual([`${newest}.partial`]);
  }
  // And the very next attempt, from what was left of the last one, brings the whole one.
  const arrived = await downloadCheckpoint(home, source, () => {}, signal);
  expect(await checkpointAtHome(home, newest, manifestSha256)).toBe(arrived);
});

test('a checkpoint at home that lost any end of a file is not taken for one that is there', async () => {
  await using folder = await temporaryHome();
  const { manifestSha256 } = await save(folder.path, steps.newest, smallFiles(steps.newest));
  const directory = join(folder.path, newest);
  for await (const { name, bytes, what } of spoilings(directory)) {
    const isChangedInPlace = what.includes('changed') && name !== 'manifest.json';
    // Its bytes are hashed when it is verified or sent, not each time it is looked for.
    if (isChangedInPlace) continue;
    await writeFile(join(directory, name), bytes);
    expect(await checkpointAtHome(folder.path, newest, manifestSha256), what).toBeUndefined();
  }
  expect(await checkpointAtHome(folder.path, newest, manifestSha256)).toBe(directory);
});

test('a worker takes no uploaded checkpoint of which any end is missing or any bit is changed', async () => {
  await using folder = await temporaryHome();
  const files = smallFiles(steps.newest);
  const from = join(folder.path, 'from');
  await save(from, steps.newest, files);
  const manifest: Manifest = manifestSchema.parse(
    JSON.parse(await readFile(join(from, newest, 'manifest.json'), 'utf8')),
  );
  const record: RunRecord = {
    ...{ format: 1, id: run, recipe: 'digits-pixel-rnn', settings: {}, quick: false },
    ...{ createdAt: 5, version: '0.1.0' },
  };
  const runs = await Runs.load(join(folder.path, 'runs'), () => {});
  const imported = await runs.import(record, { nextSeq: 9, lives: [], checkpoint: manifest });
  const uploads = new Uploads();
  for await (const { name, bytes, what } of spoilings(join(from, newest))) {
    if (name === 'manifest.json') continue;
    await rm(imported.directory.uploadPath(newest), { recursive: true, force: true });
    for (const file of files) {
      const sent = file.name === name ? bytes : file.bytes;
      if (sent.length > 0) await uploads.receive(imported, newest, file.name, 0, sent);
    }
    await expect(uploads.commit(imported, newest, undefined), what).rejects.toMatchObject({
      code: what.includes('changed') ? 'checkpoint-corrupt' : 'checkpoint-incomplete',
    });
    expect(await imported.directory.checkpoints(), what).toEqual([]);
  }
});
