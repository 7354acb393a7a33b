import { describe, expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../../../shared/events.ts';
import { afterEngineCrash, afterWorkerRestart } from '../../../../worker/gateway/recovery.ts';
import { foldEvent, foldOfNew, type RunFold } from '../../../../worker/gateway/run-fold.ts';

const foldOf = (...bodies: EventBody[]): RunFold =>
  bodies
    .map((body, index): RunEvent => ({ ...body, run: 'one', seq: index + 1, time: index }))
    .reduce(foldEvent, foldOfNew());
const state = (value: RunFold['state'], reason?: string): EventBody => ({
  type: 'state',
  state: value,
  ...(reason ? { reason } : {}),
});
const asked = (what: NonNullable<RunFold['asked']>): EventBody => ({ type: 'change', asked: what });
const metric = (step: number): EventBody => ({
  type: 'metric',
  step,
  epoch: 1,
  split: 'train',
  per: 'step',
  name: 'loss',
  value: 1,
});

const checkpoint = (step: number, epoch: number): EventBody => ({
  type: 'checkpoint',
  id: `step-${String(step).padStart(9, '0')}`,
  step,
  epoch,
  reason: 'time',
  best: false,
  bytes: 1,
  manifestSha256: '0'.repeat(64),
});

describe("what a run's events add up to", () => {
  test('its step goes back where it rewinds', () => {
    expect(foldOf(state('running'), metric(7), metric(8)).step).toBe(8);
    expect(foldOf(state('running'), metric(8), { type: 'rewind', toStep: 5 }).step).toBe(5);
  });

  test('its epoch goes back with its step', () => {
    const end = (step: number, epoch: number): EventBody[] => [
      { type: 'epoch', step, epoch, seconds: 1, examplesPerSecond: 1, liveTensors: 0 },
      checkpoint(step, epoch),
    ];
    const events = [
      ...[state('running'), ...end(10, 1), checkpoint(14, 2), ...end(20, 2)],
      { ...metric(25), epoch: 3 } as EventBody,
    ];
    const epochAfter = (toStep: number) => foldOf(...events, { type: 'rewind', toStep }).epoch;
    expect(epochAfter(20)).toBe(2);
    expect(epochAfter(14)).toBe(2);
    expect(epochAfter(12)).toBe(2);
    expect(epochAfter(10)).toBe(1);
    expect(epochAfter(4)).toBe(1);
    expect(epochAfter(0)).toBe(0);
    // What came after the step gone back to is forgotten for good.
    const twice = foldOf(...events, { type: 'rewind', toStep: 10 }, { type: 'rewind', toStep: 9 });
    expect(twice).toMatchObject({ step: 9, epoch: 1 });
  });

  test('that it was done holds until it goes back behind that step', () => {
    const done = foldOf(metric(8), { type: 'change', epochs: 4 }, state('done', 'epochs'));
    expect(done.done).toEqual({ step: 8, changed: { epochs: 4 } });
    const rewind = (toStep: number): RunEvent => ({
      ...{ type: 'rewind', toStep },
      ...{ run: 'one', seq: 9, time: 9 },
    });
    expect(foldEvent(done, rewind(8)).done?.step).toBe(8);
    expect(foldEvent(done, rewind(7)).done).toBeUndefined();
  });

  test('once it left a checkpoint it is one that has them, also when they were removed', () => {
    expect(foldOf(state('running'), metric(3)).hasCheckpoint).toBe(false);
    const removed: EventBody = { type: 'checkpoint-removed', id: 'step-000000003' };
    expect(foldOf(checkpoint(3, 1), removed).hasCheckpoint).toBe(true);
    expect(foldOfNew({ step: 20, epoch: 2, changed: {} }).hasCheckpoint).toBe(true);
  });

  test('changes are kept one by one', () => {
    expect(
      foldOf(
        { type: 'change', epochs: 5 },
        { type: 'change', patience: 2 },
        { type: 'change', epochs: 6 },
      ).changed,
    ).toEqual({ epochs: 6, patience: 2 });
  });

  test('what was asked is open until it happens', () => {
    expect(foldOf(state('running'), asked('pause')).asked).toBe('pause');
    expect(foldOf(state('running'), asked('pause'), state('paused')).asked).toBeUndefined();
    expect(foldOf(state('paused'), asked('continue'), state('running')).asked).toBeUndefined();
    expect(
      foldOf(
        state('running'),
        asked('stop-epoch'),
        state('recovering', 'engine-crashed'),
        state('running'),
      ).asked,
    ).toBe('stop-epoch');
    expect(foldOf(state('running'), asked('stop-now'), state('done')).asked).toBeUndefined();
  });

  test('an imported run begins interrupted at its checkpoint', () => {
    expect(foldOfNew({ step: 20, epoch: 2, changed: { epochs: 9 } })).toMatchObject({
      state: 'interrupted',
      step: 20,
      epoch: 2,
      changed: { epochs: 9 },
    });
  });
});

describe('after the engine crashed', () => {
  const crash = state('recovering', 'engine-crashed');

  test('it is started again three times, after longer and longer waits, and then the run fails', () => {
    const waits: unknown[] = [];
    for (const before of [[], [crash], [crash, crash], [crash, crash, crash]]) {
      const recovery = afterEngineCrash(
        foldOf(state('starting'), ...before, state('running')),
        'was killed by SIGKILL',
      );
      waits.push(
        recovery.kind === 'restart'
          ? recovery.waitMs
          : recovery.kind === 'settle' && recovery.event.state,
      );
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 'failed']);
  });

  test('a run that somebody resumed has three restarts again', () => {
    const fold = foldOf(
      crash,
      crash,
      crash,
      state('failed'),
      state('starting', 'resumed'),
      state('running'),
    );
    expect(afterEngineCrash(fold, 'ended')).toMatchObject({ kind: 'restart', waitMs: 1_000 });
  });

  test('restarts of the whole worker do not count', () => {
    const restarted = state('recovering', 'worker-restarted');
    expect(foldOf(restarted, restarted, restarted, restarted).restarts).toBe(0);
  });

  test('a run that was to stop now is stopped; one that was to stop after its epoch goes on to it', () => {
    expect(afterEngineCrash(foldOf(state('running'), asked('stop-now')), 'ended')).toMatchObject({
      kind: 'settle',
      event: { state: 'stopped', reason: 'stop-now' },
    });
    expect(afterEngineCrash(foldOf(state('running'), asked('stop-epoch')), 'ended')).toMatchObject({
      kind: 'restart',
    });
  });

  test('a paused run that was to stop after its epoch is stopped: nothing would take it there', () => {
    const fold = foldOf(state('paused'), asked('stop-epoch'));
    const stopped = { kind: 'settle', event: { state: 'stopped', reason: 'stop-epoch' } };
    expect(afterEngineCrash(fold, 'ended')).toMatchObject(stopped);
    expect(afterWorkerRestart(fold, true)).toMatchObject(stopped);
  });

  test('a paused run stays paused, and an ended one ended', () => {
    expect(afterEngineCrash(foldOf(state('paused')), 'ended').kind).toBe('leave');
    expect(afterEngineCrash(foldOf(state('paused'), asked('continue')), 'ended').kind).toBe(
      'restart',
    );
    expect(afterEngineCrash(foldOf(state('done')), 'ended').kind).toBe('leave');
  });
});

describe('after the worker was started anew', () => {
  test('an active run goes on, unless the worker was told not to', () => {
    for (const active of ['starting', 'running', 'recovering'] as const) {
      expect(afterWorkerRestart(foldOf(state(active)), true)).toMatchObject({
        kind: 'restart',
        waitMs: 0,
        event: { state: 'recovering', reason: 'worker-restarted' },
      });
      expect(afterWorkerRestart(foldOf(state(active)), false)).toMatchObject({
        kind: 'settle',
        event: { state: 'interrupted' },
      });
    }
    expect(afterWorkerRestart(foldOfNew(), true).kind).toBe('restart');
  });

  test('what was asked last holds', () => {
    expect(afterWorkerRestart(foldOf(state('running'), asked('pause')), true)).toMatchObject({
      kind: 'settle',
      event: { state: 'paused' },
    });
    expect(afterWorkerRestart(foldOf(state('running'), asked('stop-now')), true)).toMatchObject({
      kind: 'settle',
      event: { state: 'stopped' },
    });
    expect(afterWorkerRestart(foldOf(state('paused')), true).kind).toBe('leave');
    expect(afterWorkerRestart(foldOf(state('paused'), asked('continue')), true).kind).toBe(
      'restart',
    );
  });

  test('an ended run is left alone', () => {
    for (const final of ['done', 'stopped', 'failed', 'interrupted'] as const) {
      expect(afterWorkerRestart(foldOf(state(final)), true).kind).toBe('leave');
    }
  });
});
