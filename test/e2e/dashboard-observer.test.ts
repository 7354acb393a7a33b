import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BadLine } from '../integration/proxy.ts';
import { endsWithTest } from '../integration/session-set-up.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { keySequences as keys } from '../unit/client/ui/terminal.ts';
import { program, teletrain } from './support/command.ts';
import { PtyTerminal } from './support/pty-terminal.ts';

const patient = 60_000;
const readOnly = 'its token for this worker is read-only';

/** A run on somebody's worker, and a machine that was let in to observe it, over a line of its own. */
async function observed() {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await temporaryHome()).path;
  const environment = { SMALL_ENGINE_STEP_MS: '20' };
  const worker = stack.use(
    new WorkerProcess(join(home, 'worker'), { environment, args: endsWithTest }),
  );
  const { url, code } = await worker.listening();
  const line = stack.use(await BadLine.to(url));
  const at = async (machine: string, ...args: string[]): Promise<string> => {
    const { stdout, stderr, code } = await teletrain(args, { home: join(home, machine) });
    if (code !== 0) throw new Error(`teletrain ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  };
  await at('laptop', 'connect', url, '--code', code, '--name', 'box');
  const start = ['run', 'imdb-lstm', '--on', 'box', '--set', 'epochs=9999', '--detach', '--json'];
  const { run } = JSON.parse(await at('laptop', ...start));
  const shared = JSON.parse(await at('laptop', 'share', 'box', '--for', 'Ada', '--json'));
  await at('tablet', 'connect', line.url, '--code', shared.code, '--name', 'theirs');
  const dashboard = (...args: string[]) =>
    new PtyTerminal(process.execPath, [program, ...args], {
      columns: 140,
      rows: 40,
      env: { TELETRAIN_HOME: join(home, 'tablet') },
    });
  return {
    line,
    at,
    run: String(run),
    dashboard,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The epoch that the screen shows goes on. */
async function goesOn(terminal: PtyTerminal): Promise<void> {
  const epoch = (screen: string): number => Number(/epoch (\d+)\//.exec(screen)?.[1] ?? 0);
  const before = epoch(terminal.text);
  await terminal.waitFor((screen) => epoch(screen) > before, patient);
}

test("an observer's dashboard shows the run live, says its role, offers and sends nothing that is refused, and survives a cut", async () => {
  await using all = await observed();
  const { line, at, run } = all;
  await using terminal = all.dashboard('attach', run);
  await terminal.waitFor('● running', patient);
  await terminal.waitFor('read-only');
  await terminal.waitForKeys();
  await goesOn(terminal);
  expect(terminal.text).not.toMatch(/Space pause|S stop/);

  for (const key of [' ', 'S', 'e', 'p']) {
    terminal.press(key);
    await terminal.waitFor(readOnly);
    // A key that means nothing.
    terminal.press('y');
    await terminal.waitFor((screen) => !screen.includes(readOnly));
  }
  terminal.press('?');
  await terminal.waitFor('next pane');
  expect(terminal.text).not.toMatch(/pause training|stop: after this epoch|change the/);
  terminal.press(keys.escape);

  line.isDown = true;
  line.cut();
  await terminal.waitFor('reconnecting', patient);
  expect(terminal.text).toContain('read-only');
  terminal.press('S');
  await terminal.waitFor('cannot be reached');
  line.isDown = false;
  await terminal.waitFor(/● live/, patient);
  expect(terminal.text).toContain('read-only');
  await goesOn(terminal);

  await at('laptop', 'stop', run);
  await terminal.waitFor('○ stopped', patient);
  terminal.press(' ');
  await terminal.waitFor(readOnly);
  terminal.press('q');
  expect((await terminal.exited).exitCode).toBe(4);
  const asked = line.frames.flatMap(({ kind, header }) =>
    kind === 'request' ? [(header as { method: string }).method] : [],
  );
  expect(asked).toContain('run.follow');
  expect(
    asked.filter((method) => /^run\.(start|pause|resume|stop|change)|take/.test(method)),
  ).toEqual([]);
}, 180_000);

test("an observer's list of workers says what trains there, who has control and that it may only look", async () => {
  await using all = await observed();
  await using terminal = all.dashboard();
  await terminal.waitFor('1 recipes', patient);
  await terminal.waitForKeys();
  terminal.press('3');
  await terminal.waitFor(new RegExp(`trains ${all.run}, you observe`), patient);
  expect(terminal.text).not.toContain('X stop');
  terminal.press('X');
  await terminal.waitFor('its token for theirs is read-only');
  terminal.press(keys.enter);
  await terminal.waitFor('● running', patient);
  await goesOn(terminal);
}, 180_000);
