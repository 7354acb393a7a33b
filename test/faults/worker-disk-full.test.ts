import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { endsWithTest, quickTimes, recipe, until } from '../integration/session-set-up.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { FillingDisk, fullDiskLibrary } from './filling-disk.ts';

const library = await fullDiskLibrary();

test.runIf('lacking' in library)('a full disk could not be checked here', () => {
  console.warn('lacking' in library ? library.lacking : '');
});

test.skipIf('lacking' in library)(
  'a run whose journal takes no more is told to who follows it and to who attaches later, and goes on once there is room',
  async () => {
    await using folder = await temporaryHome();
    const workerHome = join(folder.path, 'worker');
    const path = 'path' in library ? library.path : '';
    const disk = await FillingDisk.of(workerHome, path, join(folder.path, 'room'));
    await using worker = new WorkerProcess(workerHome, {
      args: endsWithTest,
      environment: disk.environment,
    });
    const { url, code } = await worker.listening();
    const client = createClient({ home: join(folder.path, 'client'), times: quickTimes });
    await client.connectWorker(url, { code, name: 'worker' });
    const handle = await client.startRun({ recipe, settings: { epochs: 30 }, on: 'worker' });
    await until(handle, ({ checkpoints }) => checkpoints.length > 0);

    await disk.fill(200);
    const told = {
      code: 'journal-failed',
      message: expect.stringContaining('whose disk took no more of its events'),
      hint: expect.stringContaining('teletrain resume'),
    };
    await expect(handle.finished()).rejects.toMatchObject(told);
    const other = createClient({ home: join(folder.path, 'client'), times: quickTimes });
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
    await client.close();
  },
  60_000,
);
