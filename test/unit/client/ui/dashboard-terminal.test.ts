import { expect, test } from 'vitest';
import { live, lossOfNextStep, openLiveRun } from './live-run.ts';
import { ScriptedClient } from './scripted-client.ts';
import { digitsRun } from './scripts.ts';
import { keySequences as keys, openDashboard } from './terminal.ts';

test('q detaches with exit code 0, restores the terminal and says how to come back', async () => {
  const run = live(digitsRun());
  const open = openDashboard(new ScriptedClient(), { openRun: run });
  await open.terminal.waitFor('running');
  await open.terminal.press('q');
  expect(await open.ended).toBe(0);
  await open.terminal.waitFor(`teletrain attach`);
  expect(open.terminal.onAlternateScreen).toBe(false);
  expect(open.terminal.rawMode).toBe(false);
  expect(run.closed).toBe(true);
  expect(run.asked).toEqual([]);
  await open[Symbol.asyncDispose]();
});

test('the first Ctrl-C asks, the second leaves with 130 and the run goes on', async () => {
  const run = live(digitsRun());
  const open = openDashboard(new ScriptedClient(), { openRun: run });
  await open.terminal.waitFor('running');
  await open.terminal.press(keys.ctrlC);
  await open.terminal.waitFor('Ctrl-C again leaves at once; the run goes on.');
  await open.terminal.press(keys.ctrlC);
  expect(await open.ended).toBe(130);
  expect(run.asked).toEqual([]);
  await open[Symbol.asyncDispose]();
});

test.each([
  ['done', 0],
  ['failed', 1],
  ['interrupted', 3],
  ['stopped', 4],
] as const)('leaving a run that is %s ends with exit code %d', async (state, code) => {
  const run = digitsRun();
  run.push({ type: 'state', state });
  const open = openDashboard(new ScriptedClient(), { openRun: run });
  await open.terminal.waitFor(state);
  await open.terminal.press('q');
  expect(await open.ended).toBe(code);
  await open[Symbol.asyncDispose]();
});

test('a fault of the program restores the terminal and is thrown', async () => {
  const client = new ScriptedClient();
  client.runs = async () => {
    throw new TypeError('a fault');
  };
  const open = openDashboard(client);
  await expect(open.ended).rejects.toThrow('a fault');
  expect(open.terminal.onAlternateScreen).toBe(false);
  await open[Symbol.asyncDispose]();
});

test('Ctrl-L writes the whole screen again', async () => {
  const run = digitsRun();
  run.push({ type: 'state', state: 'done' });
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('done');
  // Something else wrote over the screen.
  await new Promise<void>((resolve) => terminal.xterm.write('\x1b[2J', resolve));
  expect(terminal.text.trim()).toBe('');
  await terminal.press(keys.ctrlL);
  await terminal.waitFor('done');
});

test('the help has every key, and Esc closes it', async () => {
  await using open = openLiveRun({ columns: 160, rows: 60 });
  const { terminal } = open;
  await terminal.waitFor('running');
  await terminal.press('?');
  await terminal.waitFor('draw the screen anew');
  await terminal.press(keys.escape);
  await terminal.waitFor('running');
});

test.each([
  [{ NO_COLOR: '1', TERM: 'xterm-256color' }],
  [{ FORCE_COLOR: '0', TERM: 'xterm-256color', COLORTERM: 'truecolor' }],
])('with %o not one colour is sent', async (env) => {
  await using open = openLiveRun({ columns: 160, rows: 48, env });
  const { terminal } = open;
  await terminal.waitFor('completed digits');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are sent with them
  const parameters = [...terminal.written.matchAll(/\x1b\[([\d;]*)m/g)].flatMap(([, codes]) =>
    (codes ?? '').split(';'),
  );
  expect(parameters.length).toBeGreaterThan(0);
  expect(parameters.filter((code) => /^([34][0-8]|9[0-7]|10[0-7])$/.test(code))).toEqual([]);
});

test('without Unicode the screen is plain ASCII', async () => {
  await using open = openLiveRun({ columns: 100, rows: 30, env: { TERM: 'linux' } });
  const { terminal } = open;
  await terminal.waitFor('running');
  expect(terminal.text).toMatch(/^[\x20-\x7e\n]*$/);
});

test('16 colours are enough: nothing of 256 or truecolor is sent', async () => {
  await using open = openLiveRun({ columns: 100, rows: 30, env: { TERM: 'xterm' } });
  await open.terminal.waitFor('running');
  expect(open.terminal.written).not.toMatch(/[34]8;[25];/);
  expect(open.terminal.written).toContain('\x1b[94m');
});

test('resizing fits the screen again, from small to large and back', async () => {
  await using open = openDashboard(new ScriptedClient(), {
    openRun: live(digitsRun()),
    columns: 60,
    rows: 15,
  });
  const { terminal } = open;
  await terminal.waitFor('1 chart');
  terminal.resize(160, 48);
  await terminal.waitFor((screen) => screen.includes('system') && !screen.includes('1 chart'));
  expect(terminal.rows).toHaveLength(48);
  terminal.resize(40, 12);
  await terminal.waitFor((screen) => screen.includes('ETA ') && !screen.includes('╭'));
  terminal.resize(60, 15);
  await terminal.waitFor('1 chart');
  expect(terminal.rows[0]).toMatch(/^digits-pixel-rnn/);
});

test('nothing is written while nothing changes', async () => {
  const run = digitsRun();
  run.push({ type: 'state', state: 'paused' });
  await using open = openDashboard(new ScriptedClient(), { openRun: run, columns: 160, rows: 48 });
  const { terminal } = open;
  await terminal.waitFor('paused');
  await terminal.press('y');
  await terminal.waitFor('smoothed 0.9 · log y');
  const before = terminal.written.length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(terminal.written.slice(before)).toBe('');
});

test('a screen reader gets sentences: changes at once, numbers now and then, no pictures', async () => {
  await using open = openLiveRun({ screenReader: true });
  const { run, terminal } = open;
  await terminal.waitFor('digits-pixel-rnn: running, connected.');
  expect(terminal.onAlternateScreen).toBe(false);
  expect(terminal.text).toContain('Epoch 4 of 10, step 2,554, 1h 05m left.');
  expect(terminal.text).not.toMatch(/[│━▀⠀-⣿]/);
  run.push(lossOfNextStep(80));
  await terminal.press('S');
  await terminal.waitFor('Answer 4 of 4: cancel');
  await terminal.press(keys.up, keys.up, keys.enter);
  await terminal.waitFor('digits-pixel-rnn: stopping, connected.');
  expect(run.asked).toEqual(['stop now']);
});
