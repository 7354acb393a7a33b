import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Dashboard } from '../../../../../client/ui/state/dashboard.ts';
import { ScriptedClient } from '../scripted-client.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const asked = { text: 'Asked for patience 3.', style: 'accent' } as const;

function openDashboard(): Dashboard {
  return new Dashboard(new ScriptedClient(), { onLeave: () => {}, onRedraw: () => {} });
}

test('a notice gives the key hints back after five seconds', () => {
  const dashboard = openDashboard();
  dashboard.notice = asked;
  vi.advanceTimersByTime(4_900);
  expect(dashboard.notice).toEqual(asked);
  const version = dashboard.version();
  vi.advanceTimersByTime(200);
  expect(dashboard.notice).toBeUndefined();
  expect(dashboard.version()).toBeGreaterThan(version);
});

test('a notice gives the key hints back at the next key', () => {
  const dashboard = openDashboard();
  dashboard.notice = asked;
  dashboard.press('tab');
  expect(dashboard.notice).toBeUndefined();
});

test('each notice has its own five seconds', () => {
  const dashboard = openDashboard();
  dashboard.notice = asked;
  vi.advanceTimersByTime(4_000);
  dashboard.notice = { ...asked, text: 'Asked for patience 4.' };
  vi.advanceTimersByTime(4_000);
  expect(dashboard.notice?.text).toBe('Asked for patience 4.');
});
