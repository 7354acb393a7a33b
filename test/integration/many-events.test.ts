import { expect, test } from 'vitest';
import { floodOfEvents } from './support/event-flood.ts';

const megabytes = 2 ** 20;

// The bounds fail where something grows with the events or their square: 1,000,000 of them are
// measured by test/bench/million-events.ts.
test('60,000 events come through every process, each once and in order, in the memory of few', async () => {
  const report = await floodOfEvents(60_000);
  const { followed, opened, replayMs } = report;
  expect(followed).toMatchObject({ points: 60_000, isWhole: true, lastSeq: report.events });
  expect(opened).toMatchObject({ points: 60_000, isWhole: true, events: report.events });
  expect(report.stuckGot).toBe(report.events);

  expect(followed.seconds).toBeLessThan(40);
  expect(replayMs.at(-1)).toBeLessThan(1_000);
  expect(opened.openMs).toBeLessThan(5_000);
  expect(opened.readMs).toBeLessThan(5_000);
  expect(opened.firstFrameMs).toBeLessThan(1_000);
  if (process.platform !== 'linux') return;
  expect(report.peakOfGateway).toBeLessThan(230 * megabytes);
  expect(report.peakOfEngine).toBeLessThan(200 * megabytes);
  expect(followed.peak).toBeLessThan(200 * megabytes);
  expect(opened.peak).toBeLessThan(200 * megabytes);
});
