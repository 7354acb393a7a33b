import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RunFeed } from '../../../../../client/ui/state/run-feed.ts';
import { systemClock } from '../../../../../shared/clock.ts';
import { type ScriptedRun, sampleEvent } from '../scripted-run.ts';
import { digitsRun } from '../scripts.ts';

const minuteMs = 60_000;

let run: ScriptedRun;
let feed: RunFeed;
let changes: number;
beforeEach(async () => {
  vi.useFakeTimers();
  run = digitsRun();
  changes = 0;
  feed = new RunFeed(run, () => {
    changes += 1;
  });
});
afterEach(() => {
  feed.close();
  vi.useRealTimers();
});

/** Changes that the screen hears of in a minute after this. */
async function changesInAMinute(): Promise<number> {
  await vi.advanceTimersByTimeAsync(1_000);
  const before = changes;
  await vi.advanceTimersByTimeAsync(minuteMs);
  return changes - before;
}

test('the clocks of a run that trains move once a second', async () => {
  expect(await changesInAMinute()).toBe(60);
});

test('a paused run asks for no frame at all', async () => {
  run.push({ type: 'state', state: 'paused' });
  expect(await changesInAMinute()).toBe(0);
});

test('while a worker does not answer, how long that has been moves on, also of a paused run', async () => {
  run.push({ type: 'state', state: 'paused' });
  const unansweredSince = systemClock.monotonic() - 12_000;
  run.connect({ kind: 'connected', since: 0, restarted: false, unansweredSince });
  expect(await changesInAMinute()).toBe(60);
});

test('a thousand events a second are ten frames a second', async () => {
  const feeding = setInterval(() => run.changed(), 1);
  const heard = await changesInAMinute();
  clearInterval(feeding);
  expect(heard).toBeGreaterThan(500);
  expect(heard).toBeLessThanOrEqual(600);
});

const metric = (step: number) =>
  run.push({
    ...{ type: 'metric', step, epoch: 4, split: 'train', per: 'step' },
    ...{ name: 'loss', value: 80 },
  } as const);

test('a sample that came whole is written row by row for a second, and then stays', async () => {
  expect(feed.revealed).toBeUndefined();
  metric(2600);
  run.push(sampleEvent(2600, 4, 1, () => 255));
  await vi.advanceTimersByTimeAsync(1);
  const { seq } = run.view.samples.at(-1) ?? {};
  const rows: number[] = [];
  const before = changes;
  for (let frame = 0; frame < 10; frame += 1) {
    expect(feed.revealed?.seq).toBe(seq);
    rows.push(feed.revealed?.rows ?? 0);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(rows).toEqual(rows.toSorted((a, b) => a - b));
  expect(rows[0]).toBe(14);
  expect(rows.at(-1)).toBeGreaterThan(25);
  expect(changes - before).toBeGreaterThanOrEqual(10);
  expect(feed.revealed).toBeUndefined();
});

test('a sample that is history, or was seen while it was drawn, is not written once more', async () => {
  metric(2600);
  run.push(sampleEvent(2400, 4, 1, () => 255));
  await vi.advanceTimersByTimeAsync(1);
  expect(feed.revealed).toBeUndefined();
  const size = { count: 1, height: 28, width: 28, columns: 1, givenRows: 14, rows: 20 };
  run.draw({ step: 2600, epoch: 4, name: 'some', ...size, pixels: () => new Uint8Array(784) });
  await vi.advanceTimersByTimeAsync(1);
  run.push(sampleEvent(2600, 4, 1, () => 255));
  await vi.advanceTimersByTimeAsync(1);
  expect(feed.revealed).toBeUndefined();
});

test('a run that is frozen on the screen still says who may change it', () => {
  const holder = { id: 'anna-seen', name: 'anna-laptop', connected: true };
  run.allow({ role: 'observe', control: { yours: false, holder } });
  feed.toggleFrozen();
  run.allow({ role: 'control', control: { yours: true, holder } });
  expect(feed.view.access).toEqual({ role: 'observe', control: { yours: false, holder } });
  feed.toggleFrozen();
  expect(feed.view.access?.role).toBe('control');
});
