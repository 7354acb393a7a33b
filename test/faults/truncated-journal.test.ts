import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RunStore } from '../../client/session/run-store.ts';
import type { EventBody, RunEvent } from '../../shared/events.ts';
import { decodeEvent, scanRecords } from '../../shared/journal.ts';
import type { RunRecord } from '../../shared/run.ts';
import { createRandom } from '../../worker/engine/random.ts';
import type { Run } from '../../worker/gateway/run.ts';
import { Runs } from '../../worker/gateway/runs.ts';
import { temporaryHome } from '../integration/support/worker-process.ts';

const record: RunRecord = {
  ...{ format: 1, id: 'one', recipe: 'digits-pixel-rnn', settings: {}, quick: false },
  ...{ createdAt: 5, version: '0.1.0' },
};
const bodies: readonly EventBody[] = [
  { type: 'state', state: 'starting' },
  { type: 'log', level: 'info', message: 'begun' },
  { type: 'metric', step: 1, epoch: 1, split: 'train', per: 'step', name: 'loss', value: 0.5 },
  {
    ...{ type: 'checkpoint', id: 'step-000000001', step: 1, epoch: 1, reason: 'time', best: true },
    ...{ bytes: 7, manifestSha256: 'a'.repeat(64) },
  },
  { type: 'metric', step: 2, epoch: 1, split: 'train', per: 'step', name: 'loss', value: 0.25 },
  { type: 'state', state: 'interrupted', reason: 'shutdown' },
];
const flips = 100;

/** A worker's folder of runs with one in it. */
async function workerRuns(folder: string): Promise<{ path: string; whole: Buffer }> {
  const run = await (await Runs.load(folder, () => {})).create(record);
  for (const body of bodies) await run.append(body);
  await run.rest();
  const path = join(folder, record.id, 'journal');
  return { path, whole: await readFile(path) };
}

async function eventsOf(run: Run): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (let cursor = run.locate(1); ; ) {
    const part = await run.read(cursor);
    if (part.events.length === 0) return events;
    events.push(...part.events.map(decodeEvent));
    cursor = part.cursor;
  }
}

/** Opens a spoiled journal as a worker does at its start, and goes on with it. */
async function goOn(folder: string) {
  const warnings: string[] = [];
  const run = (await Runs.load(folder, (message) => warnings.push(message))).get(record.id);
  const opened = await eventsOf(run);
  const [next] = await run.append({ type: 'log', level: 'info', message: 'next' });
  await run.rest();
  return { warnings, opened, next, all: await eventsOf(run) };
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

/** So many copies of it, each with one bit changed. */
function* spoiled(whole: Buffer): Generator<{ bytes: Buffer; at: number }> {
  const random = createRandom(7, 'flips');
  for (let count = 0; count < flips; count += 1) {
    const at = random.nextBelow(whole.length);
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.nextBelow(8));
    yield { bytes, at };
  }
}

test("a worker's journal that ends at any byte keeps its whole events, says how much was cut, and numbers on", async () => {
  await using folder = await temporaryHome();
  const { path, whole } = await workerRuns(folder.path);
  const { records } = scanRecords(whole);
  const events = records.map(({ body }) => decodeEvent(body));
  expect(events).toHaveLength(bodies.length);
  for (let size = 0; size <= whole.length; size += 1) {
    await writeFile(path, whole.subarray(0, size));
    const kept = records.filter(({ end }) => end <= size);
    const cut = size - (kept.at(-1)?.end ?? 0);
    const { warnings, opened, next, all } = await goOn(folder.path);
    expect(opened.slice(0, kept.length)).toEqual(events.slice(0, kept.length));
    const told = `The last ${cut} bytes of the run's journal were an event cut short by a crash`;
    if (cut === 0) expect([warnings, opened.length]).toEqual([[], kept.length]);
    else {
      expect(warnings).toEqual([expect.stringContaining(told)]);
      // In the run's log too, and with a new life: somebody may have seen what was cut.
      expect(opened.slice(kept.length)).toMatchObject([
        { type: 'log', level: 'warning', message: expect.stringContaining(told) },
      ]);
      expect(opened.at(-1)?.life).toEqual(expect.any(String));
    }
    expect(next?.seq).toBe(opened.length + 1);
    expect(all.map(({ seq }) => seq)).toEqual(upTo(opened.length + 1));
  }
});

test("a worker's journal with a changed bit keeps all events before it, tells no other, and numbers on", async () => {
  await using folder = await temporaryHome();
  const { path, whole } = await workerRuns(folder.path);
  const { records } = scanRecords(whole);
  const events = records.map(({ body }) => decodeEvent(body));
  for (const { bytes, at } of spoiled(whole)) {
    await writeFile(path, bytes);
    const before = records.filter(({ end }) => end <= at).length;
    const { warnings, opened, all } = await goOn(folder.path);
    expect(warnings).toEqual([expect.stringContaining('bytes of the run')]);
    expect(opened.slice(0, before)).toEqual(events.slice(0, before));
    expect(opened.slice(before)).toMatchObject([{ type: 'log', level: 'warning' }]);
    expect(all.map(({ seq }) => seq)).toEqual(upTo(before + 2));
  }
});

test("a client's journal that ends at any byte, or has a changed bit, is whole again once the worker sent the rest", async () => {
  await using folder = await temporaryHome();
  const { whole } = await workerRuns(join(folder.path, 'worker'));
  const { records } = scanRecords(whole);
  const events = records.map(({ body }) => decodeEvent(body));
  const store = new RunStore(join(folder.path, 'client'));
  await store.create(record, { worker: 'worker', url: 'ws://127.0.0.1:1/' });
  const path = store.journalPath(record.id);
  const requireMended = async (kept: number): Promise<void> => {
    const { fold, journal } = await store.open(record.id);
    expect([fold.lastSeq, journal.lastSeq]).toEqual([kept, kept]);
    for (const event of events.slice(kept)) journal.append(event);
    await journal.flushed();
    // The worker's file itself: what is at home is byte for byte what was sent.
    if (kept < events.length) expect(await readFile(path)).toEqual(whole);
  };
  for (let size = 0; size <= whole.length; size += 1) {
    await writeFile(path, whole.subarray(0, size));
    await requireMended(records.filter(({ end }) => end <= size).length);
  }
  for (const { bytes, at } of spoiled(whole)) {
    await writeFile(path, bytes);
    await requireMended(records.filter(({ end }) => end <= at).length);
  }
});
