import { appendFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../../../shared/events.ts';
import { decodeEvent } from '../../../../shared/journal.ts';
import { JournalFile } from '../../../../worker/gateway/journal-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-journal-'));
  path = join(folder, 'journal');
});
afterEach(() => rm(folder, { recursive: true }));

const log = (message: string): EventBody => ({ type: 'log', level: 'info', message });
const open = async (nextSeq = 1) => {
  const events: RunEvent[] = [];
  const { journal, cut } = await JournalFile.open('one', path, nextSeq, (event) =>
    events.push(event),
  );
  return { journal, cut, events };
};
async function readAll(journal: JournalFile, from: number): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  let cursor = journal.locate(from);
  for (;;) {
    const part = await journal.read(cursor);
    if (part.events.length === 0) return events;
    events.push(...part.events.map(decodeEvent));
    cursor = part.cursor;
  }
}

describe('the journal of a run', () => {
  test('numbers events without a gap in the order of the calls, however they overlap', async () => {
    const { journal } = await open();
    const appended = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        journal.append([log(`${index}`), log(`${index} too`)], index),
      ),
    );
    expect(appended.flat().map((event) => event.seq)).toEqual(
      Array.from({ length: 600 }, (_, index) => index + 1),
    );
    expect(journal.lastSeq).toBe(600);
    await journal.close();
    expect((await open()).events).toEqual(appended.flat());
  });

  test('gives the events from any number on', async () => {
    const { journal } = await open();
    const all = await journal.append(
      Array.from({ length: 500 }, (_, index) => log('x'.repeat(index))),
      1,
    );
    for (const from of [1, 2, 63, 64, 65, 128, 129, 499, 500]) {
      expect(await readAll(journal, from)).toEqual(all.slice(from - 1));
    }
    expect(await readAll(journal, 501)).toEqual([]);
    const reopened = (await open()).journal;
    expect(await readAll(reopened, 321)).toEqual(all.slice(320));
    await journal.close();
  });

  test('reads on from where it was when there is more', async () => {
    const { journal } = await open();
    await journal.append([log('a')], 1);
    const { cursor } = await journal.read(journal.locate(1));
    expect((await journal.read(cursor)).events).toEqual([]);
    await journal.append([log('b')], 2);
    expect((await journal.read(cursor)).events.map(decodeEvent)).toMatchObject([
      { seq: 2, message: 'b' },
    ]);
    await journal.close();
  });

  test('holds events larger than one read', async () => {
    const { journal } = await open();
    const pixels = (size: number): EventBody => ({
      type: 'sample',
      step: 1,
      epoch: 1,
      name: 'noise',
      count: 1,
      height: 1,
      width: 1,
      columns: 1,
      givenRows: 0,
      pixels: new Uint8Array(size).fill(size % 251),
    });
    await journal.append(
      [log('first'), pixels(900_000), log('between'), pixels(300_000), pixels(1_000_000)],
      1,
    );
    const events = await readAll(journal, 1);
    expect(
      events.map((event) => (event.type === 'sample' ? event.pixels.length : event.type)),
    ).toEqual(['log', 900_000, 'log', 300_000, 1_000_000]);
    await journal.close();
    expect((await open()).events).toHaveLength(5);
  });

  test('goes on from another number after an import', async () => {
    const { journal } = await open(101);
    expect([journal.firstSeq, journal.lastSeq]).toEqual([101, 100]);
    await journal.append([log('a'), log('b')], 1);
    expect((await readAll(journal, 1)).map((event) => event.seq)).toEqual([101, 102]);
    await journal.close();
    const again = await open(101);
    expect([again.journal.firstSeq, again.journal.lastSeq]).toEqual([101, 102]);
  });

  test('cut anywhere by a crash, keeps the whole events, says what it cut, and numbers on', async () => {
    const { journal } = await open();
    await journal.append([log('a'), log('b'), log('c')], 1);
    await journal.close();
    const whole = await readFile(path);
    for (let length = whole.length - 1; length >= 0; length -= 7) {
      await writeFile(path, whole.subarray(0, length));
      const { journal: found, cut, events } = await open();
      expect(cut?.bytes ?? 0).toBe(length - (await readFile(path)).length);
      if (cut) expect(cut.kind).toBe('torn');
      const [next] = await found.append([log('next')], 2);
      expect(next?.seq).toBe(events.length + 1);
      await found.close();
      expect((await open()).events).toHaveLength(events.length + 1);
    }
  });

  test('says that what was damaged was damaged, and never tells a wrong event', async () => {
    const { journal } = await open();
    await journal.append([log('a'), log('b'), log('c')], 1);
    await journal.close();
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)] = 0;
    await writeFile(path, bytes);
    const { cut, events } = await open();
    expect(cut?.kind).toBe('corrupt');
    expect(events).toMatchObject([{ message: 'a' }]);
  });

  test('names a life of the run with its first event, and another one after its end was lost', async () => {
    const { journal } = await open();
    await journal.append([log('a'), log('b')], 1);
    await journal.append([log('c')], 2);
    await journal.close();
    const whole = await open();
    await whole.journal.append([log('d')], 3);
    await whole.journal.close();
    const lives = (await open()).events.map(({ life }) => life);
    expect(lives).toEqual([expect.any(String), undefined, undefined, undefined]);

    // Events that somebody has seen are gone: their numbers are given to others.
    await truncate(path, (await readFile(path)).length - 3);
    const cut = await open();
    await cut.journal.append([log('other'), log('things')], 4);
    await cut.journal.close();
    const [first, second, third, fourth, fifth] = (await open()).events.map(({ life }) => life);
    expect([first, second, third, fifth]).toEqual([lives[0], undefined, undefined, undefined]);
    expect(fourth).toEqual(expect.any(String));
    expect(fourth).not.toBe(first);
  });

  test('begins a life again where the disk refused its first event', async () => {
    const { journal } = await open();
    await mkdir(path);
    await expect(journal.append([log('a')], 1)).rejects.toMatchObject({ code: 'journal-failed' });
    await rm(path, { recursive: true });
    journal.retry();
    const [event] = await journal.append([log('b')], 2);
    expect(event).toMatchObject({ seq: 1, life: expect.any(String) });
    await journal.close();
  });

  test("takes no other run's events and none out of order for its own", async () => {
    const { journal } = await open();
    await journal.append([log('a')], 1);
    await journal.close();
    const bytes = await readFile(path);
    await appendFile(path, bytes);
    const { cut, events } = await open();
    expect(cut).toEqual({ bytes: bytes.length, kind: 'corrupt' });
    expect(events).toHaveLength(1);
  });

  test('that the disk refuses loses nothing in silence: every append fails until it is tried again', async () => {
    const { journal } = await open();
    await journal.append([log('a')], 1);
    await journal.close();
    // A folder in its place cannot be written.
    await rm(path);
    await mkdir(path);
    const failed = Promise.allSettled([
      journal.append([log('b')], 2),
      journal.append([log('c')], 3),
    ]);
    for (const outcome of await failed) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'journal-failed' } });
    }
    await expect(journal.append([log('d')], 4)).rejects.toMatchObject({ code: 'journal-failed' });
    expect(journal.lastSeq).toBe(1);
    await rm(path, { recursive: true });
    await writeFile(path, '');
    await truncate(path, 0);
    journal.retry();
    const [event] = await journal.append([log('e')], 5);
    expect(event?.seq).toBe(2);
    await journal.close();
  });
});
