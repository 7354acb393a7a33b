import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../../client/cli/follow-run.ts';
import {
  engineText,
  epochLine,
  finalLines,
  headerLine,
  lossText,
  stateText,
} from '../../../../client/cli/run-text.ts';
import { nativeEngine } from '../ui/scripted-run.ts';
import { runView, withMetrics } from './run-views.ts';

describe('a loss or an accuracy in text', () => {
  it.each([
    [0.06849, '0.0685'],
    [0, '0.0000'],
    [1.5, '1.5000'],
    [83.2049, '83.205'],
    [539.291, '539.29'],
    [0.00012345, '1.2345e-4'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ])('%d is %s', (value, text) => {
    expect(lossText(value)).toBe(text);
  });
});

describe('what computes', () => {
  const gpu = { name: 'Tesla T4', memoryBytes: 15 * 2 ** 30 };

  it('is the CPU, the GPU, or the CPU beside a GPU that is not used', () => {
    const cpu = 'native CPU, 2 threads, TensorFlow 2.20.0';
    expect(engineText(nativeEngine)).toBe(cpu);
    expect(engineText({ ...nativeEngine, device: 'gpu', gpu, gpuFound: gpu })).toBe(
      'native GPU Tesla T4, TensorFlow 2.20.0',
    );
    expect(engineText({ ...nativeEngine, gpuFound: gpu })).toBe(
      `${cpu} (the Tesla T4 is not used)`,
    );
  });
});

describe('the line of an ended epoch', () => {
  const view = withMetrics(runView({ epochs: 10, stepsPerEpoch: 157 }), [
    ['train', 'accuracy', 7, 0.9783],
    ['train', 'loss', 6, 0.1],
    ['train', 'loss', 7, 0.0685],
    ['validation', 'accuracy', 7, 0.8374],
    ['validation', 'loss', 7, 0.6217],
  ]);
  const ended = (epoch: number) => ({
    type: 'epoch' as const,
    run: view.record.id,
    seq: 1,
    time: 0,
    step: 157 * epoch,
    epoch,
    seconds: 41.2,
    examplesPerSecond: 480,
    liveTensors: 9,
  });

  it("is in Keras' order: steps, time, training, validation", () => {
    expect(epochLine(view, ended(7))).toBe(
      'epoch 7/10  157/157  41s  loss 0.0685 accuracy 0.9783  validation loss 0.6217 accuracy 0.8374',
    );
  });

  it('leaves out the validation that an epoch did not have', () => {
    expect(epochLine(view, ended(6))).toBe('epoch 6/10  157/157  41s  loss 0.1000');
  });
});

describe('the end of a run', () => {
  it('says where the newest picture and the newest checkpoint at home are', () => {
    const home = { state: 'verified' as const, directory: '/runs/r/checkpoints/step-000000010' };
    const checkpoint = { step: 10, epoch: 1, best: true, bytes: 4, removedOnWorker: false };
    const view = runView({
      state: 'done',
      step: 20,
      epoch: 2,
      samples: [
        {
          ...{ seq: 3, step: 20, epoch: 2, name: 'completions', count: 1, height: 1, width: 1 },
          ...{ columns: 1, givenRows: 0, file: 'samples/b.png', pixels: () => new Uint8Array(1) },
        },
      ],
      checkpoints: [
        { ...checkpoint, id: 'step-000000010', home },
        { ...checkpoint, id: 'step-000000020', home: { state: 'waiting' } },
      ],
    });
    expect(finalLines(view)).toEqual([
      'Done at step 20, epoch 2',
      'pictures    /runs/r/samples/b.png',
      'checkpoint  /runs/r/checkpoints/step-000000010',
      'run         /runs/r',
    ]);
  });

  it("gives the test figures of the last weights, and of the best checkpoint's where they differ", () => {
    const view = withMetrics(runView({ state: 'done' }), [
      ['test', 'bestLoss', 1, 0.3],
      ['test', 'loss', 2, 0.4],
      ['test', 'hiddenLoss', 2, 0.2],
    ]);
    expect(finalLines(view).slice(1, 3)).toEqual([
      'test        loss 0.4000 hidden loss 0.2000',
      'test, best  loss 0.3000',
    ]);
  });

  it.each([
    ['stopped', /^Stopped at step 3, epoch 1; go on with "teletrain resume r"\.$/],
    ['failed', /^Failed at step 3, epoch 1: it broke$/],
    ['interrupted', /^The worker ended at step 3, epoch 1; go on with "teletrain resume r"\.$/],
  ] as const)('a run that is %s says how it ended', (state, sentence) => {
    expect(finalLines(runView({ state, step: 3, epoch: 1, stateMessage: 'it broke' }))[0]).toMatch(
      sentence,
    );
  });

  it.each([
    [{ state: 'running', stateReason: 'resume' }, 'running'],
    [{ state: 'done', stateReason: 'epochs' }, 'done: all its epochs'],
    [{ state: 'failed', stateReason: 'disk-full' }, 'failed: disk-full'],
    [{ state: 'failed', stateReason: 'disk-full', stateMessage: 'No room.' }, 'failed: No room.'],
  ] as const)('%j is shown as "%s"', (state, text) => {
    expect(stateText(runView(state))).toBe(text);
  });

  it.each([
    ['done', 0],
    ['failed', 1],
    ['interrupted', 3],
    ['stopped', 4],
  ] as const)('a run that is %s gives exit code %d', (state, code) => {
    expect(exitCodeOf({ state })).toBe(code);
  });
});

it('the header waits until it is known what computes', () => {
  expect(headerLine(runView({}))).toBe('');
});
