import { existsSync } from 'node:fs';
import {
  appendFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { sha256 } from '../../client/session/download-checkpoint.ts';
import type { RunView } from '../../client/session/types.ts';
import { encodeRecord } from '../../shared/journal.ts';
import { limits } from '../../shared/limits.ts';
import { manifestSchema } from '../../shared/run.ts';
import { childrenOf } from '../faults/child-processes.ts';
import { endsWithTest, pairedClient, quickTimes, recipe, until } from './session-set-up.ts';
import { WorkerProcess } from './support/worker-process.ts';

const weights = 'model.safetensors';
/** Some chunks, and a last one that is not full. */
const fileBytes = 9 * limits.chunkBytes + 12_344;
const environment = { SMALL_ENGINE_FILE_BYTES: String(fileBytes), SMALL_ENGINE_STEP_MS: '1' };

async function hashesAreRight(directory: string): Promise<void> {
  const text = await readFile(join(directory, 'manifest.json'), 'utf8');
  const manifest = manifestSchema.parse(JSON.parse(text));
  const names = manifest.files.map(({ name }) => name);
  expect((await readdir(directory)).sort()).toEqual([...names, 'manifest.json'].sort());
  for (const file of manifest.files) {
    const bytes = await readFile(join(directory, file.name));
    expect([file.name, bytes.length, sha256(bytes)]).toEqual([file.name, file.bytes, file.sha256]);
  }
}

const homeOf = (view: RunView) => view.checkpoints[0]?.home;

describe('a checkpoint that is brought home', () => {
  test.each([300_000, 1_000_003, 2_300_000])(
    'over a line that breaks after %i bytes goes on at the byte where it broke off',
    async (bytes) => {
      await using all = await pairedClient({ environment });
      const handle = await all.client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
      await until(handle, (view) => view.checkpoints.length === 1);
      all.line.cutAfter(bytes);
      const final = join(handle.view.directory, 'checkpoints', 'step-000000010');
      let received = 0;
      const seen: number[] = [];
      const stop = handle.subscribe(() => {
        const home = homeOf(handle.view);
        if (home?.state !== 'arriving') return;
        // Under its final name it is whole, or not there at all.
        expect(existsSync(final)).toBe(false);
        expect(home.received).toBeGreaterThanOrEqual(received);
        received = home.received;
        seen.push(received);
      });
      const view = await handle.finished();
      stop();
      expect(seen.length).toBeGreaterThan(2);
      expect(all.line.connections).toBe(3);
      expect(homeOf(view)).toEqual({ state: 'verified', directory: final });
      await hashesAreRight(final);
      // What was answered is not asked again: at most the window that was in flight is.
      const offsets = all.line.reads(weights);
      const again = offsets.filter((offset, at) => offsets.indexOf(offset) !== at);
      const answered = bytes - 4 * limits.chunkBytes - 100_000;
      for (const offset of again) expect(offset).toBeGreaterThanOrEqual(answered);
      expect(again.length).toBeLessThanOrEqual(4);
    },
  );

  test('goes on in another program after the first one quit in the middle of it', async () => {
    await using all = await pairedClient({ environment });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    const half = 5 * limits.chunkBytes;
    await until(handle, ({ checkpoints: [checkpoint] }) => {
      const home = checkpoint?.home;
      if (home?.state !== 'arriving' || home.received < half) return false;
      all.line.isHeld = true;
      return true;
    });
    await all.client.close();
    const folder = join(handle.view.directory, 'checkpoints');
    const names = (await readdir(folder)).filter((name) => name.startsWith('step'));
    expect(names).toEqual(['step-000000010.partial']);
    const { size } = await stat(join(folder, 'step-000000010.partial', weights));
    expect(size).toBeGreaterThanOrEqual(half - 20);

    all.line.isHeld = false;
    const before = all.line.frames.length;
    const later = createClient({ home: all.home, times: quickTimes });
    const found = await later.openRun('last');
    const view = await found.finished();
    expect(homeOf(view)).toMatchObject({ state: 'verified' });
    all.line.frames.splice(0, before);
    expect(Math.min(...all.line.reads(weights))).toBe(size);
    expect(all.line.reads('manifest.json')).toEqual([]);
    await hashesAreRight(join(folder, 'step-000000010'));
    await later.close();
  });

  test('with one wrong byte is never taken for good, and is right when fetched again', async () => {
    await using all = await pairedClient({ environment });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    await until(handle, ({ checkpoints: [checkpoint] }) => {
      if (checkpoint?.home.state !== 'arriving') return false;
      all.line.spoilAfter(2 * limits.chunkBytes + 1_000);
      return true;
    });
    const view = await handle.finished();
    expect(homeOf(view)).toMatchObject({ state: 'failed', code: 'checkpoint-corrupt' });
    const folder = join(view.directory, 'checkpoints');
    expect(existsSync(join(folder, 'step-000000010'))).toBe(false);
    await hashesAreRight(await handle.download('step-000000010'));
  });

  test('of which a part at home rotted is fetched anew', async () => {
    await using all = await pairedClient({ environment });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    await until(handle, ({ checkpoints: [checkpoint] }) => {
      const home = checkpoint?.home;
      if (home?.state !== 'arriving' || home.received < 3 * limits.chunkBytes) return false;
      all.line.isHeld = true;
      return true;
    });
    await all.client.close();
    const partial = join(handle.view.directory, 'checkpoints', 'step-000000010.partial', weights);
    // As long as it was, with zeros at its end: what a power cut leaves of a file.
    const { size } = await stat(partial);
    await truncate(partial, size - 5_000);
    await truncate(partial, size);
    all.line.isHeld = false;
    const later = createClient({ home: all.home, times: quickTimes });
    const view = await (await later.openRun('last')).finished();
    expect(homeOf(view)).toMatchObject({ state: 'verified' });
    expect(all.line.reads(weights).filter((offset) => offset === 0)).toHaveLength(2);
    await hashesAreRight(join(view.directory, 'checkpoints', 'step-000000010'));
    await later.close();
  });

  test('is fetched once by two programs that follow the run', async () => {
    await using all = await pairedClient({ environment });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 2 }, on: 'colab' });
    const another = createClient({ home: all.home, times: quickTimes });
    const second = await another.openRun(handle.id);
    const [one, two] = await Promise.all([handle.finished(), second.finished()]);
    for (const view of [one, two]) {
      expect(view.checkpoints.map(({ home }) => home.state)).toEqual(['verified', 'verified']);
    }
    const offsets = all.line.reads(weights);
    expect(offsets.filter((offset) => offset === 0)).toHaveLength(2);
    await another.close();
  });

  test('that the worker no longer has is absent, and says so to who asks for it', async () => {
    await using all = await pairedClient({ environment: { SMALL_ENGINE_STEP_MS: '1' } });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    const view = await handle.finished();
    await all.client.close();
    await rm(join(view.directory, 'checkpoints'), { recursive: true });
    await rm(join(all.workerHome, 'runs', handle.id, 'checkpoints'), { recursive: true });
    const later = createClient({ home: all.home, times: quickTimes });
    const found = await later.openRun('last');
    expect(homeOf(await found.finished())).toEqual({ state: 'absent' });
    await expect(found.download('step-000000010')).rejects.toMatchObject({
      code: 'no-such-checkpoint',
    });
    await expect(found.download('step-000000099')).rejects.toMatchObject({
      code: 'unknown-checkpoint',
      exitCode: 2,
    });
    await later.close();
  });

  test.each(['worker', 'engine'])(
    'that was rotated away just before the %s was killed is told as removed, and not asked for for ever',
    async (killed) => {
      await using all = await pairedClient({
        environment: { ...environment, SMALL_ENGINE_STEP_MS: '20' },
      });
      const handle = await all.client.startRun({ recipe, settings: { epochs: 8 }, on: 'colab' });
      await until(handle, ({ checkpoints }) => checkpoints.length === 2);
      // The first did not come home, and its removal was never told.
      const [gone = '', next = ''] = handle.view.checkpoints.map(({ id }) => id);
      await all.client.close();
      await rm(join(handle.view.directory, 'checkpoints'), { recursive: true });
      const [engine = 0] = await childrenOf(all.worker.child.pid ?? 0);
      if (killed === 'worker') await all.worker.kill();
      await rm(join(all.workerHome, 'runs', handle.id, 'checkpoints', gone), { recursive: true });
      if (killed === 'engine') process.kill(engine, 'SIGKILL');
      await using again =
        killed === 'worker' ? new WorkerProcess(all.workerHome, { args: endsWithTest }) : undefined;
      if (again) all.line.target = Number(new URL((await again.listening()).url).port);

      const later = createClient({ home: all.home, times: quickTimes });
      const view = await (await later.openRun('last')).finished();
      const [first, second] = view.checkpoints;
      expect(first).toMatchObject({ id: gone, removedOnWorker: true, home: { state: 'absent' } });
      expect(second).toMatchObject({
        id: next,
        removedOnWorker: false,
        home: { state: 'verified' },
      });
      await later.close();
    },
  );

  test('for which no folder can be made is told as failed, not as one that nobody wanted', async () => {
    await using all = await pairedClient({ environment: { SMALL_ENGINE_STEP_MS: '1' } });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    const view = await handle.finished();
    await all.client.close();
    const folder = join(view.directory, 'checkpoints');
    await rm(folder, { recursive: true });
    await writeFile(folder, '');
    const later = createClient({ home: all.home, times: quickTimes });
    const found = await (await later.openRun('last')).finished();
    expect(homeOf(found)).toMatchObject({ state: 'failed', code: 'disk-failed' });
    await later.close();
  });

  test('half of which came before its worker removed it is cleared away when the run is opened again', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 10 }, on: 'colab' });
    const { checkpoints, directory, lastSeq } = await handle.finished();
    const [gone = '', other = ''] = checkpoints.map(({ id }) => id);
    const folder = join(directory, 'checkpoints', gone);
    const kept = join(directory, 'checkpoints', other);
    await handle.close();
    const removed = { type: 'checkpoint-removed', id: gone, run: handle.id, time: 1 } as const;
    await appendFile(join(directory, 'journal'), encodeRecord({ ...removed, seq: lastSeq + 1 }));
    for (const whole of [folder, kept]) await rename(whole, `${whole}.partial`);
    await (await all.client.openRun(handle.id, { offline: true })).close();
    expect([folder, `${folder}.partial`].map(existsSync)).toEqual([false, false]);
    // The other one can still arrive.
    expect(existsSync(`${kept}.partial`)).toBe(true);
  });
});
