import { expect, test } from 'vitest';
import { TeletrainError } from '../../../../shared/errors.ts';
import { listed, ScriptedClient } from './scripted-client.ts';
import { type ScriptedRun, sampleEvent } from './scripted-run.ts';
import { digitsRun, sentimentRun } from './scripts.ts';
import { keySequences as keys, type OpenOptions, openDashboard } from './terminal.ts';

/** A run that is live now, not at the time its script tells of. */
function live(run: ScriptedRun): ScriptedRun {
  if (run.view.status) run.view.status = { ...run.view.status, receivedAt: Date.now() };
  return run;
}

/** The dashboard with a run of the digits recipe that is live. */
function openLiveRun(options: Omit<OpenOptions, 'openRun'> = {}) {
  const run = live(digitsRun());
  const open = openDashboard(new ScriptedClient(), { ...options, openRun: run });
  const { terminal, ended } = open;
  return { run, terminal, ended, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() };
}

test('a run is shown with its numbers, curves, pictures, checkpoints, gauges and log', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { terminal } = open;
  await terminal.waitFor('digits-pixel-rnn');
  expect(terminal.onAlternateScreen).toBe(true);
  for (const part of [
    'running',
    'epoch 4/10',
    'step 214/780',
    'ETA 1h 05m',
    '101/s examples',
    'live 38 ms',
    'validation 88.58',
    'best 88.58 @ epoch 3',
    'samples',
    'step 2,400',
    'checkpoints',
    '3/4 here',
    '41%',
    'TensorFlow 2.20.0 on CPU, 2 threads',
    '93%',
    'epoch 3: validation 88.58 nats',
  ]) {
    expect(terminal.text).toContain(part);
  }
});

test.each([
  [40, 12, ['running', 'epoch', '4/10', 'loss', '81.96', 'live']],
  [60, 15, ['running', 'step 214/780', '1 chart', '? help']],
  [80, 24, ['running', 'step 214/780', 'train', 'validation', 'samples']],
  [100, 30, ['running', 'checkpoints', 'system', 'epochs', 'samples']],
  [160, 48, ['running', 'checkpoints', 'system', 'epochs', 'samples', 'log']],
  [25, 8, ['running', '4/10']],
  [34, 4, ['running']],
])(
  'at %dx%d the screen is full, and nothing is wider or higher than the terminal',
  async (columns, rows, parts) => {
    await using open = openLiveRun({ columns, rows });
    const { terminal } = open;
    await terminal.waitFor('running');
    for (const part of parts) expect(terminal.text).toContain(part);
    // Whatever is too wide wraps, whatever is too high scrolls: both move the first row.
    expect(terminal.rows[0]).toMatch(/running/);
    expect(terminal.xterm.buffer.active.baseY).toBe(0);
  },
);

test('two metrics are drawn side by side where there is room, and the arrows go through them where there is not', async () => {
  await using open = openDashboard(new ScriptedClient(), {
    openRun: live(sentimentRun()),
    columns: 100,
    rows: 30,
  });
  const { terminal } = open;
  await terminal.waitFor(/─ loss .*─ accuracy /);
  terminal.resize(70, 24);
  await terminal.waitFor((screen) => screen.includes('◂ 1/2 ▸') && !screen.includes('─ accuracy'));
  await terminal.press(keys.right);
  await terminal.waitFor('─ accuracy ');
  expect(terminal.text).toContain('◂ 2/2 ▸');
});

test('space pauses and resumes; what was asked and what took effect are both shown', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('running');
  await terminal.press(' ');
  await terminal.waitFor('pausing…');
  expect(run.asked).toEqual(['pause']);
  run.push({ type: 'state', state: 'paused' });
  await terminal.waitFor('paused');
  await terminal.press(' ');
  await terminal.waitFor('resuming…');
  expect(run.asked).toEqual(['pause', 'resume']);
});

test('S asks how to stop, and Esc leaves the run as it is', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('running');
  await terminal.press('S');
  await terminal.waitFor('finish this epoch, then stop');
  await terminal.press(keys.escape);
  await terminal.waitFor((screen) => !screen.includes('finish this epoch'));
  expect(run.asked).toEqual([]);
  await terminal.press('S', 'e');
  await terminal.waitFor('stopping…');
  expect(run.asked).toEqual(['stop epoch']);
});

test('Enter in the stop dialog takes the answer that is marked', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('running');
  await terminal.press('S');
  await terminal.waitFor('▸   cancel');
  await terminal.press(keys.down, keys.down, keys.enter);
  await terminal.waitFor('stopping…');
  expect(run.asked).toEqual(['stop now']);
});

test('patience and epochs are changed in a dialog that refuses what is no number', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('patience 0/3');
  await terminal.press('p');
  await terminal.waitFor('Patience');
  await terminal.press(keys.backspace, 'x', keys.enter);
  await terminal.waitFor('give a whole number from 0 on');
  expect(run.asked).toEqual([]);
  await terminal.press(keys.ctrlU, '5', keys.enter);
  await terminal.waitFor('patience 0/5');
  await terminal.press('e');
  await terminal.waitFor('Number of epochs');
  await terminal.press(keys.ctrlU, '1', keys.enter);
  await terminal.waitFor('from 4 on');
  await terminal.press(keys.ctrlU, '1', '2', keys.enter);
  await terminal.waitFor('epoch 4/12');
  expect(run.asked).toEqual(['change {"patience":5}', 'change {"epochs":12}']);
});

test('who else has control is shown, and is asked for before anything is changed', async () => {
  await using open = openLiveRun({ columns: 120 });
  const { run, terminal } = open;
  await terminal.waitFor('running');
  const holder = { id: 'anna-seen', name: 'anna-laptop', connected: true };
  run.allow({ role: 'control', control: { yours: false, holder } });
  await terminal.waitFor('control: anna-laptop');
  await terminal.press(' ');
  await terminal.waitFor('Take control from anna-laptop?');
  await terminal.press(keys.escape);
  await terminal.waitFor((screen) => !screen.includes('Take control'));
  expect(run.asked).toEqual([]);
  await terminal.press('S');
  await terminal.waitFor('Take control from anna-laptop?');
  await terminal.press('y');
  await terminal.waitFor('This machine has control now.');
  expect(run.asked).toEqual(['take control from anna-seen']);
  run.allow({ role: 'control', control: { yours: true, holder } });
  await terminal.waitFor((screen) => !screen.includes('control: anna-laptop'));
  await terminal.press(' ');
  await terminal.waitFor('pausing…');
});

test("a holder of control that has gone is in nobody's way", async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('running');
  const holder = { id: 'anna-seen', name: 'anna-laptop', connected: false };
  run.allow({ role: 'control', control: { yours: false, holder } });
  await terminal.press(' ');
  await terminal.waitFor('pausing…');
  expect(terminal.text).not.toContain('anna-laptop');
});

test('an observer is shown to be one, and asks for nothing', async () => {
  const run = live(digitsRun());
  run.allow({ role: 'observe' });
  await using open = openDashboard(new ScriptedClient(), { openRun: run, columns: 120 });
  const { terminal } = open;
  await terminal.waitFor('read-only');
  expect(terminal.text).not.toContain('Space pause');
  for (const key of [' ', 'S', 'e', 'p']) {
    await terminal.press(key);
    await terminal.waitFor('its token for this worker is read-only');
    // A key that means nothing.
    await terminal.press('y');
    await terminal.waitFor((screen) => !screen.includes('its token'));
  }
  expect(run.asked).toEqual([]);
});

test('a command that the worker refuses is told with what to do, until Esc', async () => {
  const run = live(digitsRun());
  run.refuseWith = new TeletrainError('worker-busy', 'The worker does something else.', {
    hint: 'Try again in a minute.',
  });
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('running');
  await terminal.press(' ');
  await terminal.waitFor('The worker does something else. Try again in a minute.');
  await terminal.press(keys.escape);
  await terminal.waitFor((screen) => !screen.includes('does something else'));
  expect(terminal.text).toContain('running');
});

test('earlier samples can be looked at, and the newest are followed again', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { terminal } = open;
  await terminal.waitFor('12/12');
  await terminal.press('[', '[');
  await terminal.waitFor('samples  step 2,000');
  await terminal.press(']', ']', ']');
  await terminal.waitFor('samples  step 2,400');
});

test('digits are seen while they are written, and the sample takes their place', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { run, terminal } = open;
  await terminal.waitFor('samples  step 2,400');
  const whole = new Uint8Array(28 * 28).fill(255);
  const draw = (rows: number) =>
    run.draw({
      step: 2600,
      epoch: 4,
      name: 'completions',
      count: 1,
      height: 28,
      width: 28,
      columns: 1,
      givenRows: 14,
      rows,
      pixels: () => whole.map((grey, at) => (at < rows * 28 ? grey : 0)),
    });
  const rowsOfPixels = () => terminal.rows.filter((row) => row.includes('▀'.repeat(28))).length;
  draw(16);
  await terminal.waitFor(/samples {2}step 2,600[\s\S]*drawing row 17 of 28/);
  // Two rows of pixels in a row of cells; what is not drawn yet is blank.
  expect(rowsOfPixels()).toBe(8);
  draw(24);
  await terminal.waitFor('drawing row 25 of 28');
  expect(rowsOfPixels()).toBe(12);
  // Who looks at an earlier sample goes on looking at it.
  await terminal.press('[');
  await terminal.waitFor('samples  step 2,200');
  expect(terminal.text).not.toContain('drawing row');
  await terminal.press(']');
  await terminal.waitFor('drawing row 25 of 28');
  run.push(sampleEvent(2600, 4, 1, () => 255));
  await terminal.waitFor(
    (screen) =>
      screen.includes('13/13') && screen.includes('step 2,600') && !screen.includes('drawing row'),
  );
  expect(rowsOfPixels()).toBe(14);
});

test('a sample that was drawn at once is shown row by row, says so, and then stays whole', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { run, terminal } = open;
  await terminal.waitFor('12/12');
  const metric = { type: 'metric', step: 2600, epoch: 4, split: 'train', per: 'step' } as const;
  run.push({ ...metric, name: 'loss', value: 80 });
  run.push(sampleEvent(2600, 4, 1, () => 255));
  const rowsOfPixels = (screen: string) =>
    screen.split('\n').filter((row) => row.includes('▀'.repeat(28))).length;
  await terminal.waitFor(
    (screen) => screen.includes('shown row by row') && rowsOfPixels(screen) < 14,
  );
  await terminal.waitFor(
    (screen) => !screen.includes('shown row by row') && rowsOfPixels(screen) === 14,
  );
});

test('a half drawn sample vanishes when nobody tells of it any more', async () => {
  await using open = openLiveRun({ columns: 160, rows: 48 });
  const { run, terminal } = open;
  const facts = { step: 2600, epoch: 4, name: 'completions', count: 1, columns: 1, givenRows: 1 };
  run.draw({ ...facts, height: 4, width: 2, rows: 2, pixels: () => new Uint8Array(8) });
  await terminal.waitFor('drawing row 3 of 4');
  run.draw(undefined);
  await terminal.waitFor(
    (screen) => screen.includes('samples  step 2,400') && screen.includes('12/12'),
  );
});

test('+, -, 0, y and o change how the chart is drawn and say so', async () => {
  await using open = openLiveRun();
  const { terminal } = open;
  await terminal.waitFor('smoothed 0.9');
  await terminal.press('+');
  await terminal.waitFor('smoothed 0.95');
  await terminal.press('0', 'y');
  await terminal.waitFor(/─ log y ─/);
  await terminal.press('o');
  await terminal.waitFor('middle 98%');
});

test('freezing holds the picture while data comes in, and says how much it holds back', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('epoch 4/10');
  await terminal.press('f');
  await terminal.waitFor('FROZEN');
  run.push({
    type: 'metric',
    step: 2555,
    epoch: 4,
    split: 'train',
    per: 'step',
    name: 'loss',
    value: 80,
  });
  run.push({ type: 'state', state: 'paused' });
  await terminal.waitFor('FROZEN +2');
  expect(terminal.text).toContain('running');
  await terminal.press('f');
  await terminal.waitFor('paused');
  expect(terminal.text).not.toContain('FROZEN');
});

test('z shows the focused pane alone, and Esc backs out of it before it leaves the run', async () => {
  await using open = openLiveRun();
  const { terminal } = open;
  await terminal.waitFor('running');
  await terminal.press('6', 'z');
  await terminal.waitFor('log full screen');
  expect(terminal.text).toContain('binarized-mnist: 50,000 training');
  expect(terminal.text).not.toContain('checkpoints ─');
  await terminal.press(keys.escape);
  await terminal.waitFor('checkpoints ─');
  await terminal.press(keys.escape);
  await terminal.waitFor('1 recipes');
});

test('D brings the chosen checkpoint home', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('3/4 here');
  await terminal.press('D');
  await terminal.waitFor('4/4 here');
  expect(run.asked).toEqual(['download step-000002500']);
});

test('the number beside a smoothed curve is the newest measured value', async () => {
  const run = live(digitsRun());
  run.push({
    type: 'metric',
    step: 2555,
    epoch: 4,
    split: 'train',
    per: 'step',
    name: 'loss',
    value: 12.34,
  });
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('smoothed 0.9');
  expect(terminal.text).toContain('train 12.34');
});

test('a value that is not finite is a gap with a mark, an alert and its name', async () => {
  const run = live(digitsRun());
  run.push({
    type: 'metric',
    step: 2555,
    epoch: 4,
    split: 'train',
    per: 'step',
    name: 'loss',
    value: Number.NaN,
  });
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('train loss was not finite at step 2,555.');
  expect(terminal.text).toContain('train NaN');
  expect(terminal.rows.some((row) => row.includes('×'))).toBe(true);
});

test('a lost connection, a restarted worker and a recovering engine are told while they last', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('live 38 ms');
  const unansweredSince = Date.now() - 12_000;
  run.connect({ kind: 'connected', since: 0, restarted: false, unansweredSince });
  await terminal.waitFor(/no answer for 1\ds/);
  expect(terminal.text).not.toContain('live');
  run.connect({
    kind: 'waiting',
    attempt: 2,
    retryAt: Date.now() + 30_000,
    reason: 'the worker closed the connection',
  });
  await terminal.waitFor('The connection is lost (the worker closed the connection)');
  expect(terminal.text).toMatch(/reconnecting in \d\ds/);
  run.connect({ kind: 'connected', since: Date.now(), roundTripMs: 12, restarted: true });
  run.push({
    type: 'state',
    state: 'recovering',
    reason: 'engine-crashed',
    message: 'The engine ended by signal SIGKILL; going on from step-000002340.',
  });
  await terminal.waitFor('The worker was started anew');
  expect(terminal.text).toContain('The engine ended by signal SIGKILL');
  expect(terminal.text).toContain('recovering');
});

test('a past run is the same screen, labelled offline, and takes no commands', async () => {
  const run = digitsRun();
  run.push({ type: 'state', state: 'done', reason: 'epochs' });
  delete run.view.status;
  run.connect({ kind: 'offline', reason: 'asked for' });
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('offline, from disk');
  expect(terminal.text).toContain('done');
  expect(terminal.text).toContain('took 24m 55s');
  await terminal.press('S');
  await terminal.waitFor('The run is over (done).');
  expect(run.asked).toEqual([]);
});

test('a run that is done is given more epochs before it is resumed', async () => {
  const run = digitsRun();
  const { epoch, epochs } = run.view;
  run.push({ type: 'change', epochs: epoch });
  run.push({ type: 'state', state: 'done', reason: 'epochs' });
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('done');
  await terminal.press(' ');
  await terminal.waitFor('Give it more epochs with e');
  await terminal.press('e');
  await terminal.waitFor(`epoch ${epoch} was the last`);
  expect(terminal.text).toContain('It holds once the run is resumed.');
  await terminal.press(keys.ctrlU, ...String(epochs), keys.enter);
  await terminal.waitFor(`Asked for epochs ${epochs}`);
  expect(run.asked).toEqual([`change {"epochs":${epochs}}`]);
  await terminal.press(' ');
  await terminal.waitFor('Resume the run?');
});

test('a run that was stopped can be resumed on another worker', async () => {
  const client = new ScriptedClient();
  client.workerList = [
    ...client.workerList,
    { name: 'colab-2', url: 'wss://example', local: false, addedAt: 0 },
  ];
  const run = digitsRun();
  run.push({ type: 'state', state: 'interrupted', reason: 'worker-gone' });
  client.opened.set(run.id, run);
  await using open = openDashboard(client, { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('interrupted');
  await terminal.press(' ');
  await terminal.waitFor('on colab-2');
  expect(terminal.text).toContain('2,340');
  await terminal.press(keys.down, keys.down, keys.enter);
  await terminal.waitFor((screen) => !screen.includes('Resume the run?'));
  expect(client.asked).toContain(`resume ${run.id} on colab-2`);
});

test('home lists recipes, runs and workers; Enter opens a run', async () => {
  const client = new ScriptedClient();
  const run = live(digitsRun());
  client.opened.set(run.id, run);
  client.runList = [
    listed('digits-pixel-rnn', 'running', { id: run.id }),
    listed('imdb-lstm', 'failed', { id: 'imdb-lstm-20261101-101010-aaaa' }),
    listed('imdb-lstm', 'running', { lastHeardAt: Date.now() - 3 * 3_600_000 }),
  ];
  await using open = openDashboard(client, { columns: 120, rows: 32 });
  const { terminal } = open;
  await terminal.waitFor('ready');
  for (const part of [
    'imdb-simple-rnn',
    'digits-pixel-cnn-report',
    'imdb-lstm',
    'failed',
    'running?',
    '3 runs, 1 worker',
    'CPU, 2 threads',
  ])
    expect(terminal.text).toContain(part);
  await terminal.press('2', keys.enter);
  await terminal.waitFor('epoch 4/10');
  await terminal.press('r');
  await terminal.waitFor('1 recipes');
  expect(run.closed).toBe(true);
});

test('settings are edited before a start; a value the schema refuses is told at once', async () => {
  const client = new ScriptedClient();
  client.workerList = [
    ...client.workerList,
    { name: 'colab', url: 'wss://example', local: false, addedAt: 0 },
  ];
  await using open = openDashboard(client, { columns: 100, rows: 30 });
  const { terminal } = open;
  await terminal.waitFor('2 workers');
  await terminal.press(keys.enter);
  await terminal.waitFor('Completing occluded digits, PixelRNN');
  await terminal.press(' ', keys.down, keys.right, keys.down, keys.down, keys.ctrlU, '-');
  await terminal.waitFor(/epochs +-.* ✗ /);
  await terminal.press(keys.enter);
  expect(client.started).toEqual([]);
  await terminal.press(keys.ctrlU, '3', keys.enter);
  await terminal.waitFor('quick');
  await terminal.waitFor('starting');
  expect(client.started).toMatchObject([
    { recipe: 'digits-pixel-rnn', quick: true, on: 'colab', settings: { epochs: 3 } },
  ]);
});

test('a start that fails comes back to the form with what happened and what to do', async () => {
  const client = new ScriptedClient();
  client.refuseWith = new TeletrainError('worker-busy', 'The worker trains another run.', {
    hint: 'Stop that one first.',
  });
  await using open = openDashboard(client, { columns: 100, rows: 30 });
  const { terminal } = open;
  await terminal.waitFor('1 worker');
  await terminal.press(keys.enter);
  await terminal.waitFor('batch size');
  await terminal.press(keys.enter);
  await terminal.waitFor('The worker trains another run. Stop that one first.');
  expect(terminal.text).toContain('batch size');
});

test('a worker is paired by its address and code, which may be pasted', async () => {
  const client = new ScriptedClient();
  await using open = openDashboard(client);
  const { terminal } = open;
  await terminal.waitFor('1 worker');
  await terminal.press('c');
  await terminal.waitFor('Connect to a worker');
  await terminal.press(
    '\x1b[200~wss://somewhere.example:443\x1b[201~',
    keys.tab,
    ...'4F7K-22QX',
    keys.tab,
    ...'colab',
    keys.enter,
  );
  await terminal.waitFor('2 workers');
  expect(client.asked).toEqual(['connect wss://somewhere.example:443 4F7K-22QX colab']);
});

test('a worker that made its certificate itself is paired by its pin, too', async () => {
  const client = new ScriptedClient();
  await using open = openDashboard(client);
  const { terminal } = open;
  await terminal.waitFor('1 worker');
  await terminal.press('c');
  await terminal.waitFor('Connect to a worker');
  const paste = (text: string) => `\x1b[200~${text}\x1b[201~`;
  const before = [paste('wss://10.0.0.2:8787'), keys.tab, paste('4F7K-22QX'), keys.tab, keys.tab];
  await terminal.press(...before, ...'sha256:short', keys.enter);
  await terminal.waitFor('a pin is sha256: and 43 letters');
  expect(client.asked).toEqual([]);
  await terminal.press(keys.ctrlU, paste(`sha256:${'a'.repeat(43)}`), keys.enter);
  await terminal.waitFor('2 workers');
  expect(client.asked).toEqual([`connect wss://10.0.0.2:8787 4F7K-22QX sha256:${'a'.repeat(43)}`]);
});

test('an address that is none is refused before anybody is asked', async () => {
  const client = new ScriptedClient();
  await using open = openDashboard(client);
  const { terminal } = open;
  await terminal.waitFor('1 worker');
  await terminal.press('c', ...'http://x', keys.enter);
  await terminal.waitFor('an address begins with ws:// or wss://');
  expect(client.asked).toEqual([]);
});

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
  run.push({
    type: 'metric',
    step: 2555,
    epoch: 4,
    split: 'train',
    per: 'step',
    name: 'loss',
    value: 80,
  });
  await terminal.press('S');
  await terminal.waitFor('Answer 4 of 4: cancel');
  await terminal.press(keys.up, keys.up, keys.enter);
  await terminal.waitFor('digits-pixel-rnn: stopping, connected.');
  expect(run.asked).toEqual(['stop now']);
});

test('the worker of this machine is started behind the screen, and that it cannot be had is no problem', async () => {
  const client = new ScriptedClient();
  client.workerList = [];
  await using open = openDashboard(client, { columns: 120, rows: 32, startWorker: true });
  await open.terminal.waitFor('1 worker');
  await open.terminal.waitFor('ready');
  expect(client.asked).toEqual(['ensure local worker']);

  const without = new ScriptedClient();
  without.workerList = [];
  without.refuseWith = new TeletrainError('no-engine', 'There is no engine here.', {
    hint: 'Connect to a worker in Colab.',
  });
  await using other = openDashboard(without, { columns: 120, rows: 32, startWorker: true });
  await other.terminal.waitFor('There is no engine here.');
  expect(other.terminal.text).toContain('1 recipes');
});

test('a run that is not there is told at home, with the runs that are', async () => {
  const client = new ScriptedClient();
  client.runList = [listed('imdb-lstm', 'done')];
  await using open = openDashboard(client, { run: 'no-such-run' });
  await open.terminal.waitFor('There is no run "no-such-run".');
  await open.terminal.waitFor('1 run,');
});
