import { expect, test } from 'vitest';
import { initialProgress, type Progress } from '../../../../../worker/engine/checkpoints/state.ts';
import { endReason, judgeEpoch } from '../../../../../worker/engine/training/early-stopping.ts';

const epoch = (number: number, loss: number) => ({
  loss,
  step: 10 * number,
  epoch: number,
  checkpoint: `step-${String(10 * number).padStart(9, '0')}`,
});

test('the best epoch is the first with the lowest validation loss', () => {
  const losses = [3, 2, 2, 2.5, 1];
  let judged: Progress['earlyStopping'] = { epochsWithoutBetter: 0 };
  const seen = losses.map((loss, at) => {
    judged = judgeEpoch(judged, epoch(at + 1, loss));
    return [judged.best?.epoch, judged.epochsWithoutBetter];
  });
  expect(seen).toEqual([
    [1, 0],
    [2, 0],
    [2, 1],
    [2, 2],
    [5, 0],
  ]);
});

test('a run ends after an epoch only, by its number, by patience, or because it was asked', () => {
  const progress = (change: Partial<Progress>): Progress => ({
    ...initialProgress({ epochs: 5, patience: 2 }),
    epoch: 3,
    epochFinished: true,
    ...change,
  });
  const without = (epochsWithoutBetter: number) => ({ earlyStopping: { epochsWithoutBetter } });
  expect(endReason(progress({}), false)).toBeUndefined();
  expect(endReason(progress({}), true)).toBe('stop-epoch');
  expect(endReason(progress({ epochFinished: false, ...without(9) }), true)).toBeUndefined();
  expect(endReason(progress({ epoch: 5 }), false)).toBe('epochs');
  expect(endReason(progress({ epoch: 7 }), true)).toBe('epochs');
  expect(endReason(progress(without(1)), false)).toBeUndefined();
  expect(endReason(progress(without(2)), false)).toBe('patience');
  expect(endReason(progress({ patience: 0, ...without(99) }), false)).toBeUndefined();
});
