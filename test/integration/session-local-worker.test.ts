import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../client/remote/connect.ts';
import { createClient } from '../../client/session/client.ts';
import { isAlive } from '../../client/session/system.ts';
import { workerLockSchema } from '../../shared/worker-lock.ts';
import { quickTimes, recipe, until } from './session-set-up.ts';
import { temporaryHome } from './support/worker-process.ts';

const settings = {
  ...{ dataset: 'mnist-10k', units: 4, outputUnits: 4, batchSize: 8, epochs: 40 },
  ...{ trainExamples: 40, validationExamples: 8, testExamples: 8 },
  ...{ sampleSteps: 0, sampleCount: 1 },
};

async function lockOf(home: string) {
  const text = await readFile(join(home, 'worker', 'worker.lock'), 'utf8');
  return workerLockSchema.parse(JSON.parse(text));
}

test('the local worker is started once for all programs of a home, comes back when it is killed, and ends when told', async () => {
  await using home = await temporaryHome();
  const [one, two] = [home, home].map(({ path }) =>
    createClient({ home: path, times: quickTimes }),
  );
  if (!one || !two) throw new Error('there are two clients');
  const messages: string[] = [];
  const onProgress = ({ message }: { message: string }) => messages.push(message);
  const [here, there] = await Promise.all([
    one.ensureLocalWorker({ onProgress }),
    two.ensureLocalWorker({ onProgress }),
  ]);
  expect(here).toEqual(there);
  expect(here).toMatchObject({ name: 'local', local: true });
  expect(messages.filter((message) => message.startsWith('starting'))).toHaveLength(1);
  const token = join(home.path, 'client', 'local-worker', 'token');
  expect((await stat(token)).mode & 0o777).toBe(0o600);

  const handle = await one.startRun({ recipe, settings });
  expect(handle.view.worker).toBe('local');
  await until(handle, ({ checkpoints }) => checkpoints.length > 0);
  const { pid } = await lockOf(home.path);
  process.kill(pid, 'SIGKILL');
  await until(handle, ({ connection }) => connection.kind !== 'connected');
  await until(handle, ({ connection }) => connection.kind === 'connected');
  expect(handle.view.connection).toMatchObject({ restarted: true });
  expect((await lockOf(home.path)).pid).not.toBe(pid);
  await handle.stop('now');
  const view = await handle.finished();
  expect(view).toMatchObject({ state: 'stopped', stateReason: 'stop-now' });

  expect((await two.workerInfo('local')).pid).toBe((await lockOf(home.path)).pid);
  const last = (await lockOf(home.path)).pid;
  await two.stopWorker('local');
  expect(isAlive(last)).toBe(false);
  expect(await two.workers()).toEqual([]);
  const opened = await two.openRun(handle.id);
  expect(opened.view.connection).toEqual({
    kind: 'offline',
    reason: 'the worker on this machine is not running',
  });
  expect((await opened.finished()).step).toBe(view.step);
  // What a run that ended is asked for starts it again.
  await opened.change({ epochs: 50 });
  await until(opened, ({ epochs }) => epochs === 50);
  expect(opened.view.state).toBe('stopped');
  await two.stopWorker('local');
  await Promise.all([one.close(), two.close()]);
}, 120_000);

test('a local worker starts anew to look for datasets in another folder, unless it is busy', async () => {
  await using home = await temporaryHome();
  const client = createClient({ home: home.path, times: quickTimes });
  const pidWith = async (dataDir: string) => {
    await client.ensureLocalWorker({ dataDir });
    return (await lockOf(home.path)).pid;
  };
  const first = await pidWith('/one');
  expect(await pidWith('/one')).toBe(first);
  const second = await pidWith('/two');
  expect(second).not.toBe(first);
  expect(isAlive(first)).toBe(false);
  const handle = await client.startRun({ recipe, settings });
  await expect(pidWith('/three')).rejects.toMatchObject({ code: 'worker-busy' });
  await handle.stop('now');
  await handle.finished();
  await client.stopWorker('local');
  await client.close();
}, 120_000);

test('a local worker that cannot start says why, and leaves no process behind', async () => {
  await using home = await temporaryHome();
  await mkdir(join(home.path, 'client', 'local-worker'), { recursive: true });
  await writeFile(join(home.path, 'client', 'local-worker', 'token'), 'short', { mode: 0o600 });
  const client = createClient({ home: home.path, times: quickTimes });
  await expect(client.startRun({ recipe, settings })).rejects.toMatchObject({
    code: 'bad-token-file',
  });
  expect(await client.workers()).toEqual([]);
  await client.close();
});

test('a local worker that a closed tensor session had started ends when told', async () => {
  await using home = await temporaryHome();
  const session = await connect(undefined, { home: home.path });
  const { pid } = await lockOf(home.path);
  session.close();
  const client = createClient({ home: home.path, times: quickTimes });
  // The thread that had started it is gone by then, so nobody asks how the worker ended.
  await client.stopWorker('local');
  expect(isAlive(pid)).toBe(false);
  await client.close();
}, 120_000);
