import { expect, test } from 'vitest';
import { alertsOf } from '../../../../../client/ui/state/alerts.ts';
import { systemClock } from '../../../../../shared/clock.ts';
import type { EngineReport } from '../../../../../shared/engine-report.ts';
import { nativeEngine, recordOf, ScriptedRun } from '../scripted-run.ts';

const gpu = { name: 'Tesla T4', memoryBytes: 15 * 2 ** 30 };

function alertsOn(report: EngineReport) {
  const run = new ScriptedRun(recordOf('digits-pixel-rnn'), { worker: 'colab' });
  run.push({ type: 'state', state: 'running' });
  const dataset = { name: 'binarized-mnist', sources: [] };
  run.push({ type: 'engine', report, parameters: 9, stepsPerEpoch: 1, dataset });
  return alertsOf(run.view, systemClock.monotonic()).map(({ text }) => text);
}

test('a GPU that is there and does not train is told of, with the reason', () => {
  const reason = 'TensorFlow 2.20.0 is built for the CPU only: install tensorflow[and-cuda]';
  const candidates = [{ name: 'native-gpu' as const, chosen: false, reason }];
  expect(alertsOn({ ...nativeEngine, gpuFound: gpu, candidates })).toEqual([
    `Training on the CPU although there is a Tesla T4: ${reason}.`,
  ]);
});

test('that the worker was started anew is news while the run goes on, not of a run that is over', () => {
  const run = new ScriptedRun(recordOf('digits-pixel-rnn'), { worker: 'colab' });
  const now = systemClock.monotonic();
  run.push({ type: 'state', state: 'running' });
  run.connect({ kind: 'connected', since: now, restarted: true });
  expect(alertsOf(run.view, now).map(({ text }) => text)).toEqual([
    'The worker was started anew; the run goes on from its last checkpoint.',
  ]);
  run.push({ type: 'state', state: 'done' });
  expect(alertsOf(run.view, now)).toEqual([]);
});

test('neither a machine without a GPU nor one that trains on it is warned of', () => {
  expect(alertsOn(nativeEngine)).toEqual([]);
  expect(alertsOn({ ...nativeEngine, device: 'gpu', gpu, gpuFound: gpu })).toEqual([]);
});
