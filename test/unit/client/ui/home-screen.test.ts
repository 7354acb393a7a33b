import { expect, test } from 'vitest';
import { TeletrainError } from '../../../../shared/errors.ts';
import { live } from './live-run.ts';
import { listed, ScriptedClient } from './scripted-client.ts';
import { digitsRun } from './scripts.ts';
import { keySequences as keys, openDashboard } from './terminal.ts';

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

test('in a small terminal the runs of one recipe are told apart by their states', async () => {
  const client = new ScriptedClient();
  client.runList = [listed('digits-pixel-rnn', 'done'), listed('digits-pixel-rnn', 'failed')];
  await using open = openDashboard(client, { columns: 40, rows: 12 });
  const { terminal } = open;
  await terminal.waitFor('2 runs');
  await terminal.press('2');
  await terminal.waitFor(/digits-pixel-rnn +✓ done/);
  expect(terminal.text).toMatch(/digits-pixel-rnn +✗ failed/);
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

/** A client that observes what `colab` trains, which anna controls, and looks at its workers. */
function observing() {
  const client = new ScriptedClient();
  const run = live(digitsRun());
  run.allow({ role: 'observe' });
  client.opened.set(run.id, run);
  client.workerList = [
    ...client.workerList,
    { name: 'colab', url: 'wss://example', local: false, addedAt: 0, role: 'observe' },
  ];
  const holder = { id: 'anna-seen', name: 'anna', connected: true };
  const control = { yours: false, holder };
  client.infos.set('colab', { activeRun: run.id, role: 'observe', control });
  return { client, run };
}

test.each([
  [80, 24, 'trains digits-pixel-rnn, control: anna, you observe'],
  [120, 36, 'trains digits-pixel-rnn-20261123-001522-k3f9,'],
  [200, 50, 'trains digits-pixel-rnn-20261123-001522-k3f9, control: anna, you observe'],
])(
  'a worker that is observed says what it trains and for whom, in %d columns',
  async (columns, rows, text) => {
    const { client } = observing();
    await using open = openDashboard(client, { columns, rows });
    await open.terminal.press('3', keys.down);
    await open.terminal.waitFor(text);
    expect(open.terminal.text).toContain('you observe');
  },
);

test('Enter on a worker that is observed opens what it trains, and no form', async () => {
  const { client, run } = observing();
  await using open = openDashboard(client, { columns: 120, rows: 36 });
  const { terminal } = open;
  await terminal.waitFor('you observe');
  await terminal.press('3', keys.down);
  await terminal.waitFor('Enter watch');
  await terminal.press('X');
  await terminal.waitFor('its token for colab is read-only');
  await terminal.press(keys.enter);
  await terminal.waitFor('epoch 4/10');
  expect(client.asked).toEqual([`open ${run.id}`]);
  await terminal.press('r');
  client.infos.set('colab', { role: 'observe' });
  await terminal.waitFor('Enter watch');
  await terminal.press(keys.enter);
  await terminal.waitFor('colab trains nothing now');
});

test('no run is set up for a worker that is observed', async () => {
  const { client } = observing();
  const mine = { name: 'mine', url: 'wss://mine.example', local: false, addedAt: 0 };
  client.workerList = [...client.workerList, mine];
  await using open = openDashboard(client, { columns: 120, rows: 36 });
  const { terminal } = open;
  await terminal.waitFor('you observe');
  await terminal.press(keys.enter);
  await terminal.waitFor(/worker +.*this machine/);
  await terminal.press(keys.down, keys.right);
  await terminal.waitFor(/worker +.*mine/);
  await terminal.press(keys.right);
  await terminal.waitFor(/worker +.*this machine/);
});

test('the help leaves out what an observer is refused, on both screens', async () => {
  const { client, run } = observing();
  await using open = openDashboard(client, { columns: 140, rows: 60 });
  const { terminal } = open;
  await terminal.waitFor('you observe');
  await terminal.press('?');
  await terminal.waitFor('stop the chosen worker');
  await terminal.press(keys.escape, '3', keys.down, '?');
  await terminal.waitFor(
    (screen) =>
      screen.includes('forget the chosen worker') && !screen.includes('stop the chosen worker'),
  );
  await terminal.press(keys.escape, keys.enter);
  await terminal.waitFor('read-only');
  await terminal.press('?');
  await terminal.waitFor('bring the chosen checkpoint home now');
  expect(terminal.text).not.toMatch(/pause training|leave a checkpoint|number of epochs/);
  expect(run.asked).toEqual([]);
});

test("a worker's free disk is told whole, or below the list, and an engine that is not there yet is not named", async () => {
  const client = new ScriptedClient();
  client.infos.set('local', { engine: undefined });
  await using open = openDashboard(client, { columns: 120, rows: 36 });
  await open.terminal.waitFor(/ready {2}0\.4 ms {2}\d.* free/);
  expect(open.terminal.text).toContain('CPU or GPU, as the first run finds it');
  client.infos.delete('local');
  await open.terminal.press('R');
  await open.terminal.waitFor(/ready {2}CPU, 2 threads {2}0\.4 ms +│/);
  await open.terminal.waitFor(/CPU, 2 threads, 0\.4 ms, \S+ \S+ free/);
});
