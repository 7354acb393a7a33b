import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { keySequences as keys } from '../unit/client/ui/terminal.ts';
import { type PtyOptions, PtyTerminal } from './support/pty-terminal.ts';

const runner = resolve(import.meta.dirname, '../../dist/test/e2e/dashboard-runner.js');
const start = (mode: string, options: PtyOptions = {}) =>
  new PtyTerminal(process.execPath, [runner, mode], options);
const slow = 20_000;

/** Left as it was found: the ordinary screen, the cursor shown, keys echoed by the terminal again. */
function expectRestored(terminal: PtyTerminal): void {
  expect(terminal.onAlternateScreen).toBe(false);
  expect(terminal.written.lastIndexOf('\x1b[?25h')).toBeGreaterThan(
    terminal.written.lastIndexOf('\x1b[?25l'),
  );
  expect(terminal.written.lastIndexOf('\x1b[?2004l')).toBeGreaterThanOrEqual(
    terminal.written.lastIndexOf('\x1b[?2004h'),
  );
}

test('q leaves a live run with exit code 0 and says how to come back', async () => {
  await using terminal = start('live');
  await terminal.waitFor('running', slow);
  expect(terminal.onAlternateScreen).toBe(true);
  await terminal.waitForKeys();
  terminal.press('q');
  expect(await terminal.exited).toEqual({ exitCode: 0, signal: 0 });
  expectRestored(terminal);
  expect(terminal.text).toContain('teletrain attach');
});

test('Ctrl-C twice leaves with exit code 130', async () => {
  await using terminal = start('live');
  await terminal.waitFor('running', slow);
  await terminal.waitForKeys();
  terminal.press(keys.ctrlC);
  await terminal.waitFor('Ctrl-C again leaves');
  terminal.press(keys.ctrlC);
  expect((await terminal.exited).exitCode).toBe(130);
  expectRestored(terminal);
});

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
  '%s leaves the terminal as it was found',
  async (signal) => {
    await using terminal = start('live');
    await terminal.waitFor('running', slow);
    terminal.kill(signal);
    await terminal.exited;
    expectRestored(terminal);
  },
);

test('a fault of the program leaves the terminal as it was found, and is told', async () => {
  await using terminal = start('crash');
  expect((await terminal.exited).exitCode).toBe(1);
  expectRestored(terminal);
  expect(terminal.text).toContain('crashed: TypeError: a fault of the program');
});

test('keys and resizing work on a real terminal', async () => {
  await using terminal = start('still', { columns: 60, rows: 15 });
  await terminal.waitFor('1 chart', slow);
  terminal.resize(160, 48);
  await terminal.waitFor((screen) => screen.includes('╭─ system') && screen.includes('╭─ log'));
  terminal.press('S');
  await terminal.waitFor('finish this epoch, then stop');
  terminal.press(keys.escape);
  await terminal.waitFor((screen) => !screen.includes('finish this epoch'));
  terminal.resize(40, 12);
  await terminal.waitFor((screen) => screen.includes('ETA') && !screen.includes('╭'));
  expect(terminal.rows[0]).toMatch(/paused/);
});

test('NO_COLOR sends not one colour', async () => {
  await using terminal = start('still', { columns: 160, rows: 48, env: { NO_COLOR: '1' } });
  await terminal.waitFor('completed digits', slow);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are sent with them
  const parameters = [...terminal.written.matchAll(/\x1b\[([\d;]*)m/g)].flatMap(([, codes]) =>
    (codes ?? '').split(';'),
  );
  expect(parameters.length).toBeGreaterThan(0);
  expect(parameters.filter((code) => /^([34][0-8]|9[0-7]|10[0-7])$/.test(code))).toEqual([]);
});

test('a live run at 160x48 costs at most 50 ms of processor a frame at the 95th percentile, and a still one only what its keys cost', async () => {
  await using live = start('live', { columns: 160, rows: 48, env: { FRAMES: '1' } });
  await live.waitFor('epoch 9/10', 60_000);
  live.press('q');
  await live.exited;
  const [, frames, p95] = /frames (\d+) p95 ([\d.]+)/.exec(live.text) ?? [];
  console.log(`160x48: ${frames} frames, p95 ${p95} ms of processor time`);
  expect(Number(frames)).toBeGreaterThan(20);
  expect(Number(p95)).toBeLessThanOrEqual(50);

  // Its frames are those of its first screen and of two keys; none comes by itself.
  await using still = start('still', { columns: 160, rows: 48, env: { FRAMES: '1' } });
  await still.waitFor('paused', slow);
  await still.waitForKeys();
  still.press('?');
  await still.waitFor((screen) => !screen.includes('completed digits'));
  still.press(keys.escape);
  await still.waitFor('completed digits');
  still.press('q');
  await still.exited;
  const [, few] = /frames (\d+) p95/.exec(still.text) ?? [];
  expect(Number(few)).toBeGreaterThan(0);
  expect(Number(few)).toBeLessThanOrEqual(8);
});
