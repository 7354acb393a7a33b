import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { endsWithTest, quickTimes, recipe, until } from '../integration/session-set-up.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { childrenOf } from './child-processes.ts';
import { FillingDisk, fullDiskLibrary } from './filling-disk.ts';

const library = await fullDiskLibrary();

test.runIf('lacking' in library)('a full disk could not be checked here', () => {
  console.warn('lacking' in library ? library.lacking : '');
});

/** A worker with the small engine on a disk of its own. */
async function workerOnDisk(environment: Readonly<Record<string, string>> = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryHome());
  const workerHome = join(folder.path, 'worker');
  const path = 'path' in library ? library.path : '';
  const disk = await FillingDisk.of(workerHome, path, join(folder.path, 'room'));
  const worker = stack.use(
    new WorkerProcess(workerHome, {
      args: endsWithTest,
      environment: { ...disk.environment, ...environment },
    }),
  );
  return { worker, workerHome, disk, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The same, and a client that is paired with it. */
async function pairedOnDisk(environment?: Readonly<Record<string, string>>) {
  const stack = new AsyncDisposableStack();
  const { worker, workerHome, disk } = stack.use(await workerOnDisk(environment));
  const { path: home } = stack.use(await temporaryHome());
  const { url, code } = await worker.listening();
  const client = createClient({ home, times: quickTimes });
  stack.defer(() => client.close());
  await client.connectWorker(url, { code, name: 'worker' });
  const dispose = () => stack.disposeAsync();
  return { worker, workerHome, disk, client, home, [Symbol.asyncDispose]: dispose };
}

const told = {
  code: 'journal-failed',
  message: expect.stringContaining('whose disk took no more of its events'),
  hint: expect.stringContaining('teletrain resume'),
};

test.skipIf('lacking' in library)(
  'a run whose journal takes no more is told to who follows it and to who attaches later, and goes on once there is room',
  async () => {
    await using all = await pairedOnDisk();
    const { client, disk } = all;
    const handle = await client.startRun({ recipe, settings: { epochs: 30 }, on: 'worker' });
    await until(handle, ({ checkpoints }) => checkpoints.length > 0);

    await disk.fill(200);
    await expect(handle.finished()).rejects.toMatchObject(told);
    const other = createClient({ home: all.home, times: quickTimes });
    const later = await other.openRun(handle.id);
    await expect(later.finished()).rejects.toMatchObject(told);
    await other.close();

    await disk.free();
    await handle.resume();
    const view = await handle.finished();
    expect(view).toMatchObject({ state: 'done', step: 300 });
    const seqs: number[] = [];
    for await (const { seq } of handle.events()) seqs.push(seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  },
  60_000,
);

test.skipIf('lacking' in library)(
  'a run whose engine crashes while the disk is full can be resumed once there is room',
  async () => {
    // Its first step lasts: no event but that of the crash meets the full disk.
    await using all = await pairedOnDisk({ SMALL_ENGINE_STEP_MS: '600000' });
    const { client, disk, worker } = all;
    const handle = await client.startRun({ recipe, settings: { epochs: 30 }, on: 'worker' });
    await until(handle, ({ state }) => state === 'running');
    await disk.fill(0);
    const [engine = 0] = await childrenOf(worker.child.pid ?? 0);
    process.kill(engine, 'SIGKILL');
    await expect(handle.finished()).rejects.toMatchObject(told);
    await disk.free();
    const { lastSeq } = handle.view;
    await handle.resume();
    await until(handle, (view) => view.state === 'running' && view.lastSeq > lastSeq);
    await handle.stop('now');
  },
  60_000,
);

test.skipIf('lacking' in library)(
  'a run for which there is no room is refused as such, leaves nothing behind, and begins once there is room',
  async () => {
    await using all = await pairedOnDisk();
    const { client, disk } = all;
    const start = () => client.startRun({ recipe, settings: { epochs: 1 }, on: 'worker' });
    await disk.fill(0);
    await expect(start()).rejects.toMatchObject({
      code: 'disk-full',
      message: "The worker's disk is full.",
      hint: expect.stringContaining('Free some space on the worker'),
    });
    expect(await client.runs()).toEqual([]);
    expect(await readdir(join(all.workerHome, 'runs'))).toEqual([]);
    await disk.free();
    expect(await (await start()).finished()).toMatchObject({ state: 'done', step: 10 });
  },
  60_000,
);

test.skipIf('lacking' in library)(
  'a run that is brought to a full disk is refused as such, and goes on there once there is room',
  async () => {
    await using from = await pairedOnDisk({ SMALL_ENGINE_FILE_BYTES: '100000' });
    await using to = await workerOnDisk();
    const { client } = from;
    const handle = await client.startRun({ recipe, settings: { epochs: 30 }, on: 'worker' });
    await until(handle, ({ checkpoints: [first] }) => first?.home.state === 'verified');
    await from.worker.kill();
    const { url, code } = await to.worker.listening();
    await client.connectWorker(url, { code, name: 'other' });
    // Room for what the run is, and for less than its checkpoint.
    for (const room of [0, 30_000]) {
      await to.disk.fill(room);
      await expect(client.resumeRun(handle.id, { on: 'other' })).rejects.toMatchObject({
        code: 'disk-full',
        hint: expect.stringContaining('Free some space on the worker'),
      });
    }
    await to.disk.free();
    const resumed = await client.resumeRun(handle.id, { on: 'other' });
    expect(await resumed.finished()).toMatchObject({ state: 'done', step: 300 });
  },
  60_000,
);
