import { expect, test } from 'vitest';
import { TeletrainError } from '../../../../shared/errors.ts';
import { live, openLiveRun } from './live-run.ts';
import { ScriptedClient } from './scripted-client.ts';
import { digitsRun } from './scripts.ts';
import { keySequences as keys, openDashboard } from './terminal.ts';

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

test('an observer of a run that is over is asked for nothing that the worker refuses', async () => {
  const client = new ScriptedClient();
  const mine = { name: 'mine', url: 'wss://mine.example', local: false, addedAt: 0 };
  const theirs = { ...mine, name: 'colab', role: 'observe' } as const;
  const others = { ...theirs, name: 'colab-2' };
  client.workerList = [theirs, others];
  const run = digitsRun();
  run.view.worker = theirs.name;
  run.push({ type: 'state', state: 'stopped', reason: 'asked' });
  run.allow({ role: 'observe' });
  await using open = openDashboard(client, { openRun: run, columns: 120 });
  const { terminal } = open;
  await terminal.waitFor('read-only');
  for (const key of [' ', 'e', 'p']) {
    await terminal.press(key);
    await terminal.waitFor('its token for this worker is read-only');
    // A key that means nothing.
    await terminal.press('y');
    await terminal.waitFor((screen) => !screen.includes('its token'));
  }
  // A worker of its own can go on with it.
  client.workerList = [theirs, others, mine];
  client.opened.set(run.id, run);
  await terminal.press(' ');
  await terminal.waitFor('on mine');
  expect(terminal.text).not.toContain('where it ran');
  expect(terminal.text).not.toContain('on colab-2');
  await terminal.press(keys.enter);
  await terminal.waitFor((screen) => !screen.includes('Resume the run?'));
  expect(client.asked).toContain(`resume ${run.id} on mine`);
  expect(run.asked).toEqual([]);
});

test('Ctrl-C offers an observer to leave, and no stop', async () => {
  await using open = openLiveRun({ columns: 120 });
  const { run, terminal } = open;
  run.allow({ role: 'observe' });
  await terminal.waitFor('read-only');
  await terminal.press(keys.ctrlC);
  await terminal.waitFor('Leave the run?');
  expect(terminal.text).toContain('leave, the run goes on');
  expect(terminal.text).not.toMatch(/stop now|then stop/);
  await terminal.press('n', keys.escape);
  await terminal.waitFor((screen) => !screen.includes('Leave the run?'));
  expect(run.asked).toEqual([]);
});

test('a run that is over and another has control of is resumed where it ran after control is taken', async () => {
  const client = new ScriptedClient();
  const run = digitsRun();
  run.push({ type: 'state', state: 'stopped', reason: 'asked' });
  const holder = { id: 'anna-seen', name: 'anna-laptop', connected: true };
  run.allow({ role: 'control', control: { yours: false, holder } });
  await using open = openDashboard(client, { openRun: run, columns: 120 });
  const { terminal } = open;
  await terminal.waitFor('control: anna-laptop');
  await terminal.press('p');
  await terminal.waitFor('Take control from anna-laptop?');
  await terminal.press(keys.escape, ' ');
  await terminal.waitFor('where it ran');
  await terminal.press('r');
  await terminal.waitFor('Take control from anna-laptop?');
  expect(client.asked).toEqual([]);
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

test('D brings the chosen checkpoint home', async () => {
  await using open = openLiveRun();
  const { run, terminal } = open;
  await terminal.waitFor('3/4 here');
  await terminal.press('D');
  await terminal.waitFor('4/4 here');
  expect(run.asked).toEqual(['download step-000002500']);
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
