import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JournalFile, readJournal } from '../../../../client/session/journal-file.ts';
import { metric } from './simulated-worker.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-journal-'));
  path = join(folder, 'journal');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function seqs(): Promise<number[]> {
  const found: number[] = [];
  const reading = await readJournal(path, ({ seq }) => found.push(seq));
  expect(reading.torn).toBe(false);
  return found;
}

async function open(): Promise<JournalFile> {
  return JournalFile.open(path, () => {});
}

async function append(journal: JournalFile, ...numbers: number[]): Promise<void> {
  for (const seq of numbers) journal.append(metric(seq));
  await journal.flushed();
}

test('events are read back as they were written', async () => {
  const journal = await open();
  await append(journal, 1, 2, 3);
  const events: unknown[] = [];
  await readJournal(path, (event) => events.push(event));
  expect(events).toEqual([metric(1), metric(2), metric(3)]);
  expect((await open()).lastSeq).toBe(3);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a write that was cut short is cut off, wherever it ended', async () => {
  await append(await open(), 1, 2, 3);
  const whole = await readFile(path);
  const two = whole.length * (2 / 3);
  for (let size = two + 1; size < whole.length; size += 1) {
    await writeFile(path, whole);
    await truncate(path, size);
    const journal = await open();
    expect(journal.lastSeq).toBe(2);
    await append(journal, 3);
    expect(await readFile(path)).toEqual(whole);
  }
});

test('bytes that are no record are cut off by the next write', async () => {
  await append(await open(), 1, 2);
  await appendFile(path, Buffer.alloc(5_000, 7));
  const journal = await open();
  await append(journal, 3);
  expect(await seqs()).toEqual([1, 2, 3]);
});

test('two writers of one journal write each event once, whoever hears it first', async () => {
  const [one, two] = [await open(), await open()];
  for (let seq = 1; seq <= 60; seq += 1) {
    // Now one of them is ahead, now the other.
    if (seq % 7 < 4) await append(one, seq);
    two.append(metric(seq));
    if (seq % 7 >= 4) await append(one, seq);
  }
  await Promise.all([one.flushed(), two.flushed()]);
  expect(await seqs()).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
});

test('the lock of a writer that was killed holds nobody up', async () => {
  // No process has this number: it is above the largest that Linux gives.
  await writeFile(`${path}.lock`, `${hostname()} 4194305`);
  await append(await open(), 1);
  expect(await seqs()).toEqual([1]);
});

test('a disk that takes nothing is told, in a sentence', async () => {
  const journal = await JournalFile.open(join(folder, 'no-such-folder', 'journal'), () => {});
  const failures: string[] = [];
  journal.onFailure = ({ code }) => failures.push(code);
  journal.append(metric(1));
  await expect(journal.flushed()).rejects.toMatchObject({ code: 'disk-failed' });
  expect(failures).toEqual(['disk-failed']);
});
