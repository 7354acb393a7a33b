import { expect, test } from 'vitest';
import { type RunLimits, requireMoreToTrain } from '../../../../client/session/run-done.ts';
import { recordOf, ScriptedRun } from '../ui/scripted-run.ts';

/** A run with a validation loss an epoch, done at its end. */
function doneRun(losses: readonly number[], limits: { epochs: number; patience: number }) {
  const run = new ScriptedRun(recordOf('digits-pixel-rnn', { settings: limits }), {
    worker: 'colab',
  });
  for (const [index, value] of losses.entries()) {
    const at = { step: 10 * (index + 1), epoch: index + 1 };
    run.push({ type: 'metric', ...at, split: 'validation', per: 'epoch', name: 'loss', value });
  }
  run.push({ type: 'state', state: 'done', reason: 'epochs' });
  return run.view;
}
const refused = expect.objectContaining({ code: 'run-done' });

test.each<[string, number[], { epochs: number; patience: number }, RunLimits, boolean]>([
  ['no more epochs', [3, 2, 1], { epochs: 3, patience: 0 }, {}, false],
  ['more epochs', [3, 2, 1], { epochs: 3, patience: 0 }, { epochs: 4 }, true],
  ['fewer epochs', [3, 2, 1], { epochs: 3, patience: 0 }, { epochs: 2 }, false],
  ['no more patience', [1, 1, 2], { epochs: 9, patience: 2 }, {}, false],
  [
    'more epochs and no more patience',
    [1, 1, 2],
    { epochs: 9, patience: 2 },
    { epochs: 12 },
    false,
  ],
  ['more patience', [1, 1, 2], { epochs: 9, patience: 2 }, { patience: 3 }, true],
  ['endless patience', [1, 1, 2], { epochs: 9, patience: 2 }, { patience: 0 }, true],
])('a run that is done and has %s', (_, losses, limits, changes, goesOn) => {
  const view = doneRun(losses, limits);
  if (goesOn) requireMoreToTrain(view, changes);
  else expect(() => requireMoreToTrain(view, changes)).toThrow(refused);
});

test('a run that was cut off goes on however far it was', () => {
  const view = doneRun([1], { epochs: 1, patience: 0 });
  requireMoreToTrain({ ...view, state: 'interrupted', series: view.series });
});
