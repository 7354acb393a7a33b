import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RunFeed } from '../../../../../client/ui/state/run-feed.ts';
import type { ScriptedRun } from '../scripted-client.ts';
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
  const unansweredSince = Date.now() - 12_000;
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
