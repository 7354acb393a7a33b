import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keySequences as keys } from '../unit/client/ui/terminal.ts';
import { program, teletrain } from './support/command.ts';
import { PtyTerminal } from './support/pty-terminal.ts';

/** The dashboard as somebody uses it: the real program, a real worker, real digits. */

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-dashboard-'));
});
afterAll(async () => {
  await teletrain(['workers', 'stop', 'local'], { home });
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
});

const open = (...args: string[]) =>
  new PtyTerminal(process.execPath, [program, ...args], {
    columns: 120,
    rows: 36,
    env: {
      TELETRAIN_HOME: home,
      ...(process.env.TELETRAIN_CACHE === undefined
        ? {}
        : { TELETRAIN_CACHE: process.env.TELETRAIN_CACHE }),
    },
  });

const patient = 60_000;

test('a run is set up, started, paused, changed, stopped and found again from the dashboard', async () => {
  await using terminal = open();
  await terminal.waitFor('1 recipes', patient);
  await terminal.waitForKeys();
  terminal.press(keys.down, keys.enter);
  await terminal.waitFor("the report's 2,140-parameter network");
  // quick, and more epochs than this test waits for
  terminal.press(' ', keys.down, keys.down, keys.down, keys.ctrlU, '9', '9');
  await terminal.waitFor(/epochs +99/);
  terminal.press(keys.enter);
  await terminal.waitFor(/● running/, patient);
  await terminal.waitFor(/epoch ([2-9]|\d\d)\/99/, patient);

  terminal.press(' ');
  await terminal.waitFor('○ paused', patient);
  terminal.press(' ');
  await terminal.waitFor('● running', patient);

  terminal.press('e');
  await terminal.waitFor('Number of epochs');
  terminal.press(keys.ctrlU, '8', '8', keys.enter);
  await terminal.waitFor(/epoch \d+\/88/, patient);

  terminal.press('S');
  await terminal.waitFor('finish this epoch, then stop');
  terminal.press('n');
  await terminal.waitFor('○ stopped', patient);
  await terminal.waitFor(/(\d+)\/\1 here/, patient);
  terminal.press('q');
  expect((await terminal.exited).exitCode).toBe(4);
  expect(terminal.onAlternateScreen).toBe(false);
  expect(terminal.text).toMatch(/teletrain resume digits-pixel-cnn-report-/);

  await using again = open('attach', 'last');
  await again.waitFor('○ stopped', patient);
  expect(again.text).toMatch(/epoch \d+\/88/);
  await again.waitForKeys();
  again.press('q');
  expect((await again.exited).exitCode).toBe(4);
}, 180_000);

test('Ctrl-C before the dashboard is there says what becomes of what was started, and gives 130', async () => {
  await using worker = open('worker', '--port', '0', '--home', join(home, 'silent'));
  const port = /listens on ws:\/\/127\.0\.0\.1:(\d+)/;
  await worker.waitFor(port, patient);
  const code = /One-time code: (\S+)/;
  await worker.waitFor(code);
  const url = `ws://127.0.0.1:${port.exec(worker.text)?.[1]}`;
  const other = join(home, 'other');
  const paired = await teletrain(
    ['connect', url, '--code', code.exec(worker.text)?.[1] ?? '', '--name', 'gone'],
    { home: other },
  );
  expect(paired.code).toBe(0);
  worker.kill('SIGKILL');
  await worker.exited;

  await using terminal = new PtyTerminal(
    process.execPath,
    [program, 'run', 'digits-pixel-rnn', '--on', 'gone'],
    { env: { TELETRAIN_HOME: other } },
  );
  await terminal.waitFor('connecting to "gone"', patient);
  terminal.press(keys.ctrlC);
  await terminal.waitFor('Runs that had started go on; "teletrain runs" lists them.');
  expect((await terminal.exited).exitCode).toBe(130);
});
