import { expect, test } from 'vitest';
import { systemClock } from '../../../../shared/clock.ts';
import { live, lossOfNextStep, openLiveRun } from './live-run.ts';
import { ScriptedClient } from './scripted-client.ts';
import { digitsRun, sentimentRun } from './scripts.ts';
import { keySequences as keys, openDashboard } from './terminal.ts';

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
    '101 examples/s',
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
  run.push(lossOfNextStep(80));
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

test('the number beside a smoothed curve is the newest measured value', async () => {
  const run = live(digitsRun());
  run.push(lossOfNextStep(12.34));
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('smoothed 0.9');
  expect(terminal.text).toContain('train 12.34');
});

test('a value that is not finite is a gap with a mark, an alert and its name', async () => {
  const run = live(digitsRun());
  run.push(lossOfNextStep(Number.NaN));
  await using open = openDashboard(new ScriptedClient(), { openRun: run });
  const { terminal } = open;
  await terminal.waitFor('train loss was not finite at step 2,555.');
  expect(terminal.text).toContain('train NaN');
  expect(terminal.rows.some((row) => row.includes('×'))).toBe(true);
});

test.each([
  [29, 4],
  [40, 12],
])('at %dx%d a lost connection is told, and the state is doubted', async (columns, rows) => {
  const run = live(digitsRun());
  await using open = openDashboard(new ScriptedClient(), { openRun: run, columns, rows });
  const { terminal } = open;
  await terminal.waitFor('running');
  const retryAt = systemClock.monotonic() + 60_000;
  run.connect({ kind: 'waiting', attempt: 1, retryAt, reason: 'the connection was reset' });
  await terminal.waitFor(rows > 4 ? 'reconnecting' : 'no connection');
  expect(terminal.text).toContain('running?');
  if (rows > 4) expect(terminal.text).toMatch(/the run goes\s+on without it/);
});

test('without colours the legend has the dashes of the curve that it names', async () => {
  const env = { TERM: 'xterm-256color', NO_COLOR: '1' };
  await using open = openDashboard(new ScriptedClient(), { openRun: live(digitsRun()), env });
  await open.terminal.waitFor('╍ validation');
  expect(open.terminal.text).toContain('━ train');
});

test('in a small terminal each best value stands below the name of its metric', async () => {
  const run = live(digitsRun());
  const hidden = {
    step: 2_340,
    epoch: 3,
    split: 'validation',
    per: 'epoch',
    name: 'hiddenLoss',
  } as const;
  run.push({ type: 'metric', ...hidden, value: 43.5 });
  const options = { openRun: run, columns: 44, rows: 14 };
  await using open = openDashboard(new ScriptedClient(), options);
  const { terminal } = open;
  await terminal.waitFor('running');
  const labels = terminal.rows.map((row) => row.slice(0, 12).trim());
  const bests = labels.flatMap((label, row) => (label === 'best' ? [labels[row - 1]] : []));
  expect(bests).toEqual(['loss', 'hidden loss']);
});

test('a lost connection, a restarted worker and a recovering engine are told while they last', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('live 38 ms');
  const unansweredSince = systemClock.monotonic() - 12_000;
  run.connect({ kind: 'connected', since: 0, restarted: false, unansweredSince });
  await terminal.waitFor(/no answer for 1\ds/);
  expect(terminal.text).not.toContain('live');
  run.connect({
    kind: 'waiting',
    attempt: 2,
    retryAt: systemClock.monotonic() + 30_000,
    reason: 'the worker closed the connection',
  });
  await terminal.waitFor('The connection is lost; the run goes on without it.');
  expect(terminal.text).toContain('Trying again in 30s: the worker closed the');
  expect(terminal.text).toMatch(/reconnecting in \d\ds/);
  expect(terminal.text).toContain('○ running?');
  run.connect({ kind: 'connecting', attempt: 3 });
  await terminal.waitFor('The connection is lost; the run goes on without it. Trying again now.');
  run.connect({ kind: 'connecting', attempt: 6 });
  await terminal.waitFor('If it is gone for good, connect to another');
  run.connect({
    kind: 'connected',
    since: systemClock.monotonic(),
    roundTripMs: 12,
    restarted: true,
  });
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
