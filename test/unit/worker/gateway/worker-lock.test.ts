import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { workerLockName, workerLockSchema } from '../../../../shared/worker-lock.ts';
import { HeldLock, WorkerRunningError } from '../../../../worker/gateway/worker-lock.ts';

const worker = { name: 'laptop', version: '0.1.0', startedAt: 1 };
let home: string;
let path: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-lock-'));
  path = join(home, workerLockName);
});
afterEach(() => rm(home, { recursive: true }));

const onDisk = async () => workerLockSchema.parse(JSON.parse(await readFile(path, 'utf8')));

test('a home that is taken says by whom and where, and is free when it was released', async () => {
  const held = await HeldLock.take(home, worker);
  await held.announce('ws://127.0.0.1:8787/');
  const refused = await HeldLock.take(home, worker).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(WorkerRunningError);
  expect(refused).toMatchObject({ lock: { pid: process.pid, url: 'ws://127.0.0.1:8787/' } });
  await held.release();
  expect(await readdir(home)).toEqual([]);
  await (await HeldLock.take(home, worker)).release();
});

test('a lock whose process has ended, or that is no lock, is taken over', async () => {
  // No process has the largest id there is.
  for (const left of [JSON.stringify({ format: 1, pid: 2 ** 22 + 1, ...worker }), '', 'noise']) {
    await writeFile(path, left);
    const held = await HeldLock.take(home, worker);
    expect((await onDisk()).pid).toBe(process.pid);
    await held.release();
  }
});

test.skipIf(process.platform !== 'linux')(
  'a lock whose process id was given to another process is taken over',
  async () => {
    const held = await HeldLock.take(home, worker);
    const { processStart } = await onDisk();
    expect(processStart).toMatch(/^\d+$/);
    await writeFile(
      path,
      JSON.stringify({ format: 1, pid: process.pid, ...worker, processStart: '1' }),
    );
    const taken = await HeldLock.take(home, { ...worker, startedAt: 2 });
    // The first holder is no longer: it removes nothing that is not its own.
    await held.release();
    expect((await onDisk()).startedAt).toBe(2);
    await taken.release();
  },
);

test('of many that want one home at once, one gets it', async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () => HeldLock.take(home, worker)),
  );
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
});
