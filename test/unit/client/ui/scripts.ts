import { nativeEngine, recordOf, ScriptedRun, sampleEvent } from './scripted-run.ts';

/** A repeatable stream of numbers in [0, 1) (mulberry32), so that screens are the same in every test. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A drawn ring or bar, different for each picture: something to look at that is plainly no digit. */
export const shapes = (picture: number, y: number, x: number): number => {
  const [dy, dx] = [y - 13.5, x - 13.5];
  const radius = Math.hypot(dy * (1 + (picture % 3) * 0.25), dx * (1 + (picture % 2) * 0.5));
  if (picture % 5 === 4) return Math.abs(dx) < 2 + (picture % 2) && Math.abs(dy) < 10 ? 255 : 0;
  return Math.abs(radius - 7 - (picture % 4) * 0.5) < 1.6 ? 255 : 0;
};

export interface ScriptOptions {
  readonly epochsDone?: number;
  /** Steps into the epoch that is not over. */
  readonly stepsOver?: number;
  readonly stepsPerEpoch?: number;
  readonly start?: number;
}

/** A digits run in the middle of its training. */
export function digitsRun({
  epochsDone = 3,
  stepsOver = 214,
  stepsPerEpoch = 780,
  start = Date.UTC(2026, 10, 23, 0, 15, 22),
}: ScriptOptions = {}): ScriptedRun {
  const run = new ScriptedRun(recordOf('digits-pixel-rnn', { settings: { patience: 3 } }), {
    worker: 'colab',
  });
  const random = seeded(7);
  let time = start;
  run.push({ type: 'state', state: 'starting' }, time);
  run.push(
    {
      type: 'log',
      level: 'info',
      message: 'binarized-mnist: 50,000 training, 10,000 validation and 10,000 test examples',
    },
    time,
  );
  run.push(
    {
      type: 'engine',
      report: nativeEngine,
      parameters: 52_641,
      stepsPerEpoch,
      dataset: { name: 'binarized-mnist', sources: [] },
    },
    time,
  );
  run.push({ type: 'state', state: 'running' }, time);
  for (let step = 1; step <= epochsDone * stepsPerEpoch + stepsOver; step += 1) {
    time += 640;
    const epoch = Math.ceil(step / stepsPerEpoch);
    const loss =
      84 +
      120 * Math.exp(-step / 180) +
      330 * Math.exp(-step / 14) +
      (random() - 0.5) * 9 +
      (step === 1200 ? 60 : 0);
    run.push(
      { type: 'metric', step, epoch, split: 'train', per: 'step', name: 'loss', value: loss },
      time,
    );
    if (step % 200 === 0)
      run.push(
        sampleEvent(step, epoch, 100, (picture, y, x) =>
          y >= 14 && random() < 30 / step ? 255 : shapes(picture, y, x),
        ),
        time,
      );
    if (step % stepsPerEpoch === 0) {
      run.push(
        {
          type: 'metric',
          step,
          epoch,
          split: 'train',
          per: 'epoch',
          name: 'loss',
          value: 84 + 40 / epoch,
        },
        time,
      );
      run.push(
        {
          type: 'metric',
          step,
          epoch,
          split: 'validation',
          per: 'epoch',
          name: 'loss',
          value: 85.5 + 16 / epoch ** 1.5,
        },
        time,
      );
      run.push(
        { type: 'epoch', step, epoch, seconds: 498.2, examplesPerSecond: 100.2, liveTensors: 214 },
        time,
      );
      const id = `step-${String(step).padStart(9, '0')}`;
      run.push(
        {
          type: 'checkpoint',
          id,
          step,
          epoch,
          reason: 'epoch',
          best: true,
          bytes: 634_880,
          manifestSha256: '0'.repeat(64),
        },
        time,
      );
      run.checkpointHome(id, {
        state: 'verified',
        directory: `${run.view.directory}/checkpoints/${id}`,
      });
      run.push(
        {
          type: 'log',
          level: 'info',
          message: `epoch ${epoch}: validation ${(85.5 + 16 / epoch ** 1.5).toFixed(2)} nats; checkpoint ${id}`,
        },
        time,
      );
    }
  }
  run.push(
    {
      type: 'checkpoint',
      id: 'step-000002500',
      step: 2500,
      epoch: 4,
      reason: 'time',
      best: false,
      bytes: 634_880,
      manifestSha256: '0'.repeat(64),
    },
    time,
  );
  run.checkpointHome('step-000002500', {
    state: 'arriving',
    received: 262_144,
    bytesPerSecond: 1_400_000,
  });
  run.status(
    {
      phase: 'training',
      examplesPerSecond: 101.3,
      remainingMs: 3_912_000,
      gauges: {
        liveTensors: 214,
        engineMemoryBytes: 912e6,
        systemMemoryBytes: 25.7e9,
        systemMemoryUsedBytes: 6.1e9,
        cpu: 0.93,
      },
    },
    time,
  );
  run.connect({ kind: 'connected', since: start, roundTripMs: 38, restarted: false });
  return run;
}

/** A sentiment run in the middle of its training: two metrics, no pictures. */
export function sentimentRun({
  epochsDone = 4,
  stepsOver = 60,
  stepsPerEpoch = 157,
  start = Date.UTC(2026, 10, 23, 0, 15, 22),
}: ScriptOptions = {}): ScriptedRun {
  const run = new ScriptedRun(
    recordOf('imdb-simple-rnn', { quick: true, settings: { epochs: 10 } }),
    { worker: 'local' },
  );
  const random = seeded(11);
  let time = start;
  run.push(
    {
      type: 'engine',
      report: nativeEngine,
      parameters: 328_353,
      stepsPerEpoch,
      dataset: { name: 'imdb', sources: [] },
    },
    time,
  );
  run.push({ type: 'state', state: 'running' }, time);
  for (let step = 1; step <= epochsDone * stepsPerEpoch + stepsOver; step += 1) {
    time += 210;
    const epoch = Math.ceil(step / stepsPerEpoch);
    const loss = 0.2 + 0.5 * Math.exp(-step / 300) + (random() - 0.5) * 0.12;
    run.push(
      { type: 'metric', step, epoch, split: 'train', per: 'step', name: 'loss', value: loss },
      time,
    );
    run.push(
      {
        type: 'metric',
        step,
        epoch,
        split: 'train',
        per: 'step',
        name: 'accuracy',
        value: Math.min(1, 0.95 - 0.44 * Math.exp(-step / 300) + (random() - 0.5) * 0.1),
      },
      time,
    );
    if (step % stepsPerEpoch === 0) {
      for (const [split, lossValue, accuracy] of [
        ['train', 0.25 + 0.4 / epoch, 0.9 - 0.3 / epoch],
        ['validation', 0.35 + 0.3 / epoch + (epoch > 3 ? 0.03 * epoch : 0), 0.86 - 0.3 / epoch],
      ] as const) {
        run.push(
          { type: 'metric', step, epoch, split, per: 'epoch', name: 'loss', value: lossValue },
          time,
        );
        run.push(
          { type: 'metric', step, epoch, split, per: 'epoch', name: 'accuracy', value: accuracy },
          time,
        );
      }
      run.push(
        { type: 'epoch', step, epoch, seconds: 33, examplesPerSecond: 608, liveTensors: 96 },
        time,
      );
    }
  }
  run.status(
    {
      phase: 'training',
      examplesPerSecond: 611,
      remainingMs: 187_000,
      gauges: {
        liveTensors: 96,
        engineMemoryBytes: 700e6,
        systemMemoryBytes: 25.7e9,
        systemMemoryUsedBytes: 5e9,
        cpu: 0.98,
      },
    },
    time,
  );
  run.connect({ kind: 'connected', since: start, roundTripMs: 0.4, restarted: false });
  return run;
}
