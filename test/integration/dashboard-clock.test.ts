import { afterEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../shared/clock.ts';
import { openDashboard } from '../unit/client/ui/terminal.ts';
import { pairedClient, recipe } from './session-set-up.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const dayMs = 86_400_000;

/** Far from all dates, so that a time of one clock that is taken for one of the other is seen at once. */
const clock = { ...systemClock, monotonic: () => performance.now() };

test.each([
  ['ahead', dayMs],
  ['back', -dayMs],
])('a date that is set a day %s changes no number of seconds on the screen', async (_, aheadMs) => {
  await using all = await pairedClient({
    clock,
    environment: { SMALL_ENGINE_STEP_MS: '20' },
    times: { firstDelayMs: 30_000, longestDelayMs: 30_000, pingMs: 200, silenceMs: 3_000 },
  });
  const handle = await all.client.startRun({ recipe, settings: { epochs: 300 }, on: 'colab' });
  await using open = openDashboard(all.client, { openRun: handle, clock, columns: 120 });
  const { terminal } = open;
  await terminal.waitFor(/running.* live/);
  const { now } = Date;
  vi.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs);
  const { epoch } = handle.view;
  await terminal.waitFor(`epoch ${epoch + 2}/300`);
  expect(terminal.text).not.toContain('No word from the worker');
  // What the time left is counted down from.
  const silentMs = clock.monotonic() - (handle.view.status?.receivedAt ?? 0);
  expect(silentMs).toBeGreaterThanOrEqual(0);
  expect(silentMs).toBeLessThan(10_000);
  all.line.isHeld = true;
  await terminal.waitFor(/no answer for [0-3]s/);
  await terminal.waitFor(/reconnecting (now|in \d+s)/);
  expect(terminal.text).toMatch(/Trying again (now|in \d+s): /);
});
