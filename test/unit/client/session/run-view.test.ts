import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RunFold } from '../../../../client/session/run-view.ts';
import type { Drawing, EventBody, RunEvent } from '../../../../shared/events.ts';
import { record } from './simulated-worker.ts';

function folded(...bodies: EventBody[]): RunFold {
  const fold = new RunFold(record, '/runs/digits-1');
  for (const [index, body] of bodies.entries()) {
    fold.apply({ run: record.id, seq: index + 1, time: index, ...body });
  }
  return fold;
}

const loss = (step: number, value = step): EventBody => ({
  type: 'metric',
  step,
  epoch: Math.ceil(step / 10),
  split: 'train',
  per: 'step',
  name: 'loss',
  value,
});

const checkpoint = (step: number, best = false): EventBody => ({
  type: 'checkpoint',
  id: `step-${String(step).padStart(9, '0')}`,
  step,
  epoch: Math.ceil(step / 10),
  reason: 'epoch',
  best,
  bytes: 10,
  manifestSha256: 'a'.repeat(64),
});

function points(fold: RunFold, key = 'train/loss/step'): [number, number][] {
  const series = fold.series.get(key);
  if (!series) return [];
  const { length, steps, values } = series;
  return Array.from({ length }, (_, at) => [steps[at] ?? -1, values[at] ?? -1]);
}

describe('the view of a run', () => {
  test('begins with what its record says', () => {
    expect(folded()).toMatchObject({ state: 'starting', epochs: 3, patience: 0, step: 0 });
  });

  test('holds one point of a step that was measured again after a crash', () => {
    expect(points(folded(loss(1), loss(2, 7), loss(2, 8), loss(3)))).toEqual([
      [1, 1],
      [2, 8],
      [3, 3],
    ]);
  });

  test('keeps NaN and infinities as they were measured', () => {
    const fold = folded(loss(1, Number.NaN), loss(2, Number.POSITIVE_INFINITY), loss(3, 0.5));
    expect(points(fold)).toEqual([
      [1, Number.NaN],
      [2, Number.POSITIVE_INFINITY],
      [3, 0.5],
    ]);
  });

  test('drops what came after the step to which a run went back', () => {
    const fold = folded(
      ...[1, 2, 3, 4, 5].map((step) => loss(step)),
      checkpoint(3),
      checkpoint(5),
      { type: 'epoch', step: 5, epoch: 1, seconds: 1, examplesPerSecond: 1, liveTensors: 1 },
      { type: 'rewind', toStep: 3 },
      loss(4, 40),
    );
    expect(points(fold)).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 40],
    ]);
    expect(fold.checkpoints.map(({ step }) => step)).toEqual([3]);
    expect(fold).toMatchObject({ step: 4, epoch: 1, epochsDone: [] });
  });

  const started: EventBody = { type: 'state', state: 'running' };
  const half: Drawing = {
    run: record.id,
    step: 4,
    epoch: 1,
    name: 'completions',
    count: 1,
    height: 2,
    width: 2,
    columns: 1,
    givenRows: 1,
    rows: 1,
    pixels: new Uint8Array(deflateSync(Uint8Array.of(255, 0, 0, 0))),
  };
  const drawn = (): RunFold => {
    const fold = folded(started);
    fold.draw(half);
    return fold;
  };
  const next = (fold: RunFold, body: EventBody) =>
    fold.apply({ run: record.id, seq: fold.lastSeq + 1, time: 1, ...body });

  test('shows a sample while it is drawn, also while the run is paused, and the sample in its place', () => {
    const fold = drawn();
    expect(fold.drawing).toMatchObject({ step: 4, rows: 1 });
    expect(fold.drawing?.pixels()).toEqual(Buffer.of(255, 0, 0, 0));
    next(fold, { type: 'state', state: 'paused' });
    expect(fold.drawing).toBeDefined();
    const { run: _, rows: __, ...sample } = half;
    next(fold, { type: 'sample', ...sample });
    expect(fold.drawing).toBeUndefined();
    expect(fold.samples).toHaveLength(1);
  });

  test.each<EventBody>([
    { type: 'state', state: 'recovering' },
    { type: 'state', state: 'stopped' },
    { type: 'rewind', toStep: 3 },
  ])('forgets a drawing that was broken off ($type $state)', (event) => {
    const fold = drawn();
    next(fold, event);
    expect(fold.drawing).toBeUndefined();
  });

  test('shows nothing of a drawing that arrived damaged', () => {
    const fold = drawn();
    fold.draw({ ...half, pixels: Uint8Array.of(1, 2, 3) });
    expect(fold.drawing).toBeUndefined();
  });

  test('has the best checkpoint of before again where a better one is void', () => {
    const fold = folded(...[checkpoint(10, true), checkpoint(20), checkpoint(30, true)], {
      type: 'rewind',
      toStep: 20,
    });
    expect(fold.checkpoints.map(({ step, best }) => [step, best])).toEqual([
      [10, true],
      [20, false],
    ]);
  });

  test('has one best checkpoint, and remembers those that the worker rotated away', () => {
    const fold = folded(checkpoint(10, true), checkpoint(20), checkpoint(30, true), {
      type: 'checkpoint-removed',
      id: 'step-000000020',
    });
    const seen = fold.checkpoints.map(({ step, best, removedOnWorker }) => [
      step,
      best,
      removedOnWorker,
    ]);
    expect(seen).toEqual([
      [10, false, false],
      [20, false, true],
      [30, true, false],
    ]);
  });

  test('shows what was asked until a state tells that it happened', () => {
    expect(folded({ type: 'change', asked: 'pause' }).pending).toBe('pausing');
    const paused: EventBody = { type: 'state', state: 'paused' };
    expect(folded({ type: 'change', asked: 'pause' }, paused).pending).toBeUndefined();
    expect(folded({ type: 'change', epochs: 9, patience: 2 })).toMatchObject({
      epochs: 9,
      patience: 2,
    });
  });

  test('gives the pictures of a sample, and warns of one that arrived damaged', () => {
    const pixels = Uint8Array.from({ length: 2 * 3 * 4 }, (_, index) => index);
    const sample = {
      ...({ type: 'sample', step: 7, epoch: 1, name: 'completed', count: 2 } as const),
      ...{ height: 3, width: 4, columns: 2, givenRows: 1 },
    };
    const fold = folded(
      { ...sample, pixels: deflateSync(pixels) },
      { ...sample, step: 8, pixels: deflateSync(pixels.subarray(1)) },
      { ...sample, step: 9, pixels: deflateSync(new Uint8Array(1_000_000)) },
      { ...sample, step: 10, pixels: Uint8Array.of(1, 2, 3) },
    );
    expect(fold.samples.map(({ file }) => file)).toEqual(['samples/000000007-completed.png']);
    expect(fold.samples[0]?.pixels()).toEqual(Buffer.from(pixels));
    expect(fold.log.map(({ level }) => level)).toEqual(['warning', 'warning', 'warning']);
  });

  test('keeps the newest 2,000 lines of the log', () => {
    const lines = Array.from(
      { length: 2_100 },
      (_, at): EventBody => ({ type: 'log', level: 'info', message: `line ${at}` }),
    );
    const { log } = folded(...lines);
    expect([log.length, log[0]?.message, log.at(-1)?.message]).toEqual([
      2_000,
      'line 100',
      'line 2099',
    ]);
  });

  test('takes no event out of order', () => {
    const fold = folded(loss(1));
    const again: RunEvent = { run: record.id, seq: 1, time: 1, ...loss(1) };
    expect(() => fold.apply(again)).toThrow(RangeError);
    expect(() => fold.apply({ ...again, seq: 3 })).toThrow(RangeError);
  });

  test('holds of each step the last that was measured, whatever rewinds there were', () => {
    const action = fc.oneof(
      { arbitrary: fc.constant('train' as const), weight: 8 },
      { arbitrary: fc.nat(60), weight: 1 },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const expected = new Map<number, number>();
        const bodies: EventBody[] = [];
        let step = 0;
        for (const [at, what] of actions.entries()) {
          if (what === 'train') {
            step += 1;
            expected.set(step, at);
            bodies.push(loss(step, at));
          } else {
            const toStep = Math.min(what, step);
            for (let gone = toStep + 1; gone <= step; gone += 1) expected.delete(gone);
            step = toStep;
            bodies.push({ type: 'rewind', toStep });
          }
        }
        const fold = folded(...bodies);
        expect(points(fold)).toEqual([...expected].sort(([a], [b]) => a - b));
        expect(fold.step).toBe(step);
      }),
      { numRuns: 300 },
    );
  });

  test('folds a million metrics in well under 2 s of processor time and in less than 300 MB', () => {
    const fold = new RunFold(record, '/runs/digits-1');
    const names = ['loss', 'accuracy'];
    const before = process.memoryUsage();
    const startedAt = process.cpuUsage();
    for (let seq = 1; seq <= 1_000_000; seq += 1) {
      fold.apply({
        ...{ run: record.id, seq, time: seq, type: 'metric', step: seq >> 1, epoch: 1 },
        ...{ split: 'train', per: 'step', name: names[seq & 1] ?? '', value: 1 / seq },
      });
    }
    const { user, system } = process.cpuUsage(startedAt);
    const seconds = (user + system) / 1e6;
    const after = process.memoryUsage();
    const megabytes = (after.rss - before.rss) / 1e6;
    console.info(`a million metrics: ${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB`);
    expect(fold.series.get('train/loss/step')?.length).toBe(500_000);
    // Room for a machine that does something else at the same time.
    expect(seconds).toBeLessThan(4);
    expect(megabytes).toBeLessThan(300);
  });
});
