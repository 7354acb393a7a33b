import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import type { RunView } from '../../client/session/types.ts';
import { decodeEvent, scanRecords } from '../../shared/journal.ts';
import { endsWithTest, pairedClient, quickTimes, recipe, until } from './session-set-up.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

/** What is the same however a run was followed. */
function lasting(view: RunView): unknown {
  const { record, state, stateReason, epochs, step, epoch, parameters, lastSeq } = view;
  const series = [...view.series].map(([key, { length, steps, values, times }]) => [
    key,
    ...[steps, values, times].map((points) => [...points.subarray(0, length)]),
  ]);
  const samples = view.samples.map((sample) => ({ ...sample, pixels: [...sample.pixels()] }));
  const { checkpoints, epochsDone, log } = view;
  return JSON.parse(
    JSON.stringify({
      ...{ record, state, stateReason, epochs, step, epoch, parameters, lastSeq },
      ...{ series, samples, checkpoints, epochsDone, log },
    }),
  );
}

async function journalSeqs(view: RunView): Promise<number[]> {
  const scan = scanRecords(await readFile(join(view.directory, 'journal')));
  expect(scan.tail).toBe('none');
  return scan.records.map(({ body }) => decodeEvent(body).seq);
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('a run that is followed over a bad line', () => {
  test('loses no event and counts none twice, however often the line is cut', async () => {
    await using all = await pairedClient({ environment: { SMALL_ENGINE_STEP_MS: '4' } });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 20 }, on: 'colab' });
    // In the greeting, in the answer to it, in an event, in a file: wherever these bytes end.
    const lengths = [400, 1_501, 2_700, 4_003, 6_100, 9_002, 14_001];
    all.line.cutEach = (connection) => lengths[connection % lengths.length] ?? 0;
    all.line.cut();
    const view = await handle.finished();
    expect(all.line.connections).toBeGreaterThan(10);
    expect(view.state).toBe('done');
    const steps = view.series.get('train/loss/step');
    expect([...(steps?.steps.subarray(0, steps.length) ?? [])]).toEqual(upTo(200));
    expect(await journalSeqs(view)).toEqual(upTo(view.lastSeq));
    expect(view.checkpoints.map(({ home }) => home.state)).toEqual(Array(20).fill('verified'));

    const offline = await all.client.openRun(handle.id, { offline: true });
    expect(lasting(offline.view)).toEqual(lasting(view));
    const another = createClient({ home: all.home });
    const fromDisk = await another.openRun(handle.id, { offline: true });
    expect(lasting(fromDisk.view)).toEqual(lasting(view));
    await another.close();
  });

  test('finds out by itself that the line is dead though it seems open', async () => {
    await using all = await pairedClient({ times: { pingMs: 40, silenceMs: 250 } });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 30 }, on: 'colab' });
    await until(handle, (view) => view.step > 5);
    all.line.isHeld = true;
    await until(handle, (view) => view.connection.kind === 'waiting');
    expect(handle.view.status).toBeUndefined();
    all.line.isHeld = false;
    const view = await handle.finished();
    expect(await journalSeqs(view)).toEqual(upTo(view.lastSeq));
  });

  test('forgets a half drawn sample with the connection, and sees the next one after it', async () => {
    await using all = await pairedClient({ environment: { SMALL_ENGINE_DRAWINGS: '1' } });
    const handle = await all.client.startRun({ recipe, settings: { epochs: 300 }, on: 'colab' });
    await until(handle, (view) => view.drawing !== undefined);
    expect(handle.view.drawing).toMatchObject({ name: 'half', height: 2, givenRows: 1, rows: 1 });
    expect([...(handle.view.drawing?.pixels() ?? [])]).toEqual([255, 0]);
    all.line.isDown = true;
    all.line.cut();
    await until(handle, (view) => view.connection.kind !== 'connected');
    expect(handle.view.drawing).toBeUndefined();
    const before = handle.view.step;
    all.line.isDown = false;
    await until(handle, (view) => (view.drawing?.step ?? 0) > before);
    // Another program that finds the run sees it too.
    const later = createClient({ home: all.home, times: quickTimes });
    const found = await later.openRun(handle.id);
    await until(found, (view) => view.drawing !== undefined);
    await handle.stop('now');
    expect((await handle.finished()).drawing).toBeUndefined();
    expect(handle.view.samples).toEqual([]);
    await later.close();
  });

  test('says that the worker was started anew, and follows the run that it goes on with', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 12 }, on: 'colab' });
    await until(handle, (view) => view.checkpoints.length >= 2);
    await all.worker.kill();
    await until(handle, (view) => view.connection.kind !== 'connected');
    await using again = new WorkerProcess(all.workerHome, { args: endsWithTest });
    all.line.target = Number(new URL((await again.listening()).url).port);
    await until(handle, (view) => view.connection.kind === 'connected');
    expect(handle.view.connection).toMatchObject({ restarted: true });
    const view = await handle.finished();
    expect(view.state).toBe('done');
    const steps = view.series.get('train/loss/step');
    expect([...(steps?.steps.subarray(0, steps.length) ?? [])]).toEqual(upTo(120));
    expect(await journalSeqs(view)).toEqual(upTo(view.lastSeq));
  });

  test('a worker that stays away is worker-lost, and the run is found again later', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 8 }, on: 'colab' });
    await until(handle, (view) => view.step > 3);
    all.line.isDown = true;
    all.line.cut();
    await expect(handle.finished({ lostAfterMs: 150 })).rejects.toMatchObject({
      code: 'worker-lost',
      exitCode: 3,
    });
    all.line.isDown = false;
    expect((await handle.finished()).state).toBe('done');
  });
});

describe('a run', () => {
  test('goes on when its follower quits, and is found again by the beginning of its name', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 15 }, on: 'colab' });
    await until(handle, (view) => view.step > 5);
    await all.client.close();
    const seen = handle.view.lastSeq;
    const later = createClient({ home: all.home, times: quickTimes });
    const found = await later.openRun(handle.id.slice(0, -4));
    expect(found.view.connection.kind).toBe('connected');
    expect(found.view.lastSeq).toBeGreaterThanOrEqual(seen);
    const view = await found.finished();
    expect(await journalSeqs(view)).toEqual(upTo(view.lastSeq));
    expect(view.step).toBe(150);
    await later.close();
  });

  test('does what it is told: pause, more epochs, resume, stop after the epoch', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 500 }, on: 'colab' });
    await until(handle, (view) => view.step > 2);
    await handle.pause();
    expect(handle.view.pending ?? handle.view.state).toMatch(/^paus/);
    await until(handle, (view) => view.state === 'paused' && view.pending === undefined);
    await handle.change({ epochs: 400, patience: 7 });
    await until(handle, (view) => view.epochs === 400 && view.patience === 7);
    await handle.resume();
    await until(handle, (view) => view.state === 'running');
    await handle.stop('epoch');
    const view = await handle.finished();
    expect(view).toMatchObject({ state: 'stopped', stateReason: 'stop-epoch' });
    expect(view.step % 10).toBe(0);
    await expect(handle.pause()).rejects.toMatchObject({ code: 'run-not-active' });

    await handle.resume();
    await handle.stop('now');
    expect((await handle.finished()).stateReason).toBe('stop-now');
  });

  test('gives its events from any number on, those on disk first, until its end', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 3 }, on: 'colab' });
    await until(handle, (view) => view.lastSeq > 10);
    const seqs: number[] = [];
    for await (const event of handle.events({ fromSeq: 4 })) seqs.push(event.seq);
    expect(seqs).toEqual(upTo(handle.view.lastSeq).slice(3));
    const offline = createClient({ home: all.home });
    const again: number[] = [];
    const fromDisk = await offline.openRun('last', { offline: true });
    for await (const event of fromDisk.events()) again.push(event.seq);
    expect(again).toEqual(upTo(handle.view.lastSeq));
    await offline.close();
  });

  test('may be followed by two programs of one home, which keep one journal', async () => {
    await using all = await pairedClient();
    const first = await all.client.startRun({ recipe, settings: { epochs: 15 }, on: 'colab' });
    await until(first, (view) => view.step > 5);
    const another = createClient({ home: all.home, times: quickTimes });
    const second = await another.openRun(first.id);
    const [one, two] = await Promise.all([first.finished(), second.finished()]);
    expect(lasting(one)).toEqual(lasting(two));
    expect(await journalSeqs(one)).toEqual(upTo(one.lastSeq));
    await another.close();
  });

  test('is found on a paired worker by a machine that never saw it', async () => {
    await using all = await pairedClient();
    const handle = await all.client.startRun({ recipe, settings: { epochs: 15 }, on: 'colab' });
    await until(handle, (view) => view.step > 5);
    await using elsewhere = await temporaryHome();
    all.worker.child.kill('SIGUSR2');
    const { code } = await all.worker.line('code');
    const other = createClient({ home: elsewhere.path, times: quickTimes });
    await other.connectWorker(all.line.url, { code: String(code) });
    const found = await other.openRun(handle.id);
    const [here, there] = await Promise.all([handle.finished(), found.finished()]);
    expect(there.lastSeq).toBe(here.lastSeq);
    expect((await other.runs()).map(({ record }) => record.id)).toEqual([handle.id]);
    await other.close();
  });

  test('that its worker refuses leaves nothing behind', async () => {
    await using all = await pairedClient();
    const busy = await all.client.startRun({ recipe, settings: { epochs: 500 }, on: 'colab' });
    await expect(all.client.startRun({ recipe, on: 'colab' })).rejects.toMatchObject({
      code: 'worker-busy',
    });
    expect(await all.client.runs()).toHaveLength(1);
    await busy.stop('now');
    await busy.finished();
  });
});
