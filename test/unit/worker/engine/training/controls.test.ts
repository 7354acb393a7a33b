import { expect, test } from 'vitest';
import { RunControls } from '../../../../../worker/engine/training/controls.ts';

/** Controls whose listener keeps what it hears. */
function listened() {
  const controls = new RunControls();
  const heard: string[] = [];
  controls.listen({
    paused: () => heard.push('paused'),
    continued: () => heard.push('continued'),
    stopAfterEpoch: () => heard.push('stop after epoch'),
    changed: (change) => heard.push(JSON.stringify(change)),
  });
  return { controls, heard };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a command that is waiting in the event loop is seen at the next gate', async () => {
  const { controls } = listened();
  setImmediate(() => controls.stop('now'));
  await expect(controls.gate()).rejects.toMatchObject({ reason: 'stop-now' });
  expect(controls.signal.aborted).toBe(true);
});

test('a pause holds the gate until it is lifted, and its time does not count', async () => {
  const { controls, heard } = listened();
  controls.pause();
  const before = controls.activeMs();
  let isThrough = false;
  const through = controls.gate().then(() => {
    isThrough = true;
  });
  const until = performance.now() + 100;
  while (performance.now() < until) await turn();
  expect(isThrough).toBe(false);
  expect(heard).toEqual(['paused']);
  controls.continue();
  await through;
  expect(heard).toEqual(['paused', 'continued']);
  expect(controls.activeMs() - before).toBeLessThan(100);
});

test('a pause that is lifted before a gate is no pause', async () => {
  const { controls, heard } = listened();
  controls.pause();
  controls.continue();
  await controls.gate();
  expect(heard).toEqual([]);
});

test('a paused run can be ended, and does not go on before', async () => {
  const { controls, heard } = listened();
  controls.pause();
  const gate = controls.gate();
  await turn();
  controls.shutdown();
  await expect(gate).rejects.toMatchObject({ reason: 'shutdown' });
  expect(heard).toEqual(['paused']);
});

test('what is asked before the run listens is not lost', async () => {
  const controls = new RunControls();
  controls.change({ patience: 3 });
  controls.stop('epoch');
  controls.stop('epoch');
  const heard: string[] = [];
  controls.listen({
    paused: () => {},
    continued: () => {},
    stopAfterEpoch: () => heard.push('stop after epoch'),
    changed: (change) => heard.push(JSON.stringify(change)),
  });
  expect(heard.sort()).toEqual(['stop after epoch', '{"patience":3}']);
  expect(controls.stopsAfterEpoch).toBe(true);
});

test('the first reason to end now is the one that is told', async () => {
  const { controls } = listened();
  controls.stop('now');
  controls.shutdown();
  await expect(controls.gate()).rejects.toMatchObject({ reason: 'stop-now' });
});
