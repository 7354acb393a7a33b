import { expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../../../shared/events.ts';
import { foldEvent, foldOfNew, lastCheckpointOf } from '../../../../worker/gateway/run-fold.ts';

const epochs = 100_000;

test('a run of a hundred thousand epochs takes time in proportion to them, and still knows the epoch of a step', () => {
  let fold = foldOfNew();
  let seq = 0;
  const numbered = () => {
    seq += 1;
    return { run: 'one', seq, time: 0 };
  };
  const startedAt = performance.now();
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    const ended: RunEvent = {
      ...{ type: 'epoch', step: 10 * epoch, epoch, ...numbered() },
      ...{ seconds: 1, examplesPerSecond: 1, liveTensors: 0 },
    };
    fold = foldEvent(fold, ended);
  }
  // A copy of all that came before for each of them would take half a minute.
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  const back = foldEvent(fold, { type: 'rewind', toStep: 455, ...numbered() });
  expect(back).toMatchObject({ step: 455, epoch: 46 });
  expect(foldEvent(back, { type: 'rewind', toStep: 450, ...numbered() })).toMatchObject({
    step: 450,
    epoch: 46,
  });
});

const checkpoint = (step: number, manifestSha256 = 'a'.repeat(64)): EventBody => ({
  ...{ type: 'checkpoint', id: `step-${String(step).padStart(9, '0')}`, step, epoch: step / 10 },
  ...{ reason: 'epoch', best: false, bytes: 10, manifestSha256 },
});

function foldOf(...bodies: EventBody[]) {
  const numbered = bodies.map((body, index) => ({ run: 'one', seq: index + 1, time: 0, ...body }));
  return numbered.reduce(foldEvent, foldOfNew());
}

test('the checkpoints that a worker must have are those told of, less those removed and those gone back behind', () => {
  const removed = { type: 'checkpoint-removed', id: 'step-000000010' } as const;
  const told = [checkpoint(10), checkpoint(20), removed, checkpoint(30), checkpoint(30)];
  expect(foldOf(...told).checkpoints.map(({ step }) => step)).toEqual([20, 30]);
  const back = foldOf(...told, { type: 'rewind', toStep: 20 });
  expect(back.checkpoints.map(({ step }) => step)).toEqual([20]);
});

test('the last checkpoint is the one that was told of last, by its step and its hash alone', () => {
  const hash = 'b'.repeat(64);
  expect(lastCheckpointOf(foldOf())).toBeUndefined();
  const told = [checkpoint(10), checkpoint(20, hash)];
  expect(lastCheckpointOf(foldOf(...told))).toEqual({ step: 20, manifestSha256: hash });
  expect(lastCheckpointOf(foldOf(...told, { type: 'rewind', toStep: 10 }))?.step).toBe(10);
  // Of what a run was brought here with no event told.
  const brought = foldOfNew({ step: 5, epoch: 1, changed: {} });
  expect(lastCheckpointOf(brought)).toEqual({ step: 5 });
});
