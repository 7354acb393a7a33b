import { TeletrainError } from '../../shared/errors.ts';
import type { RunView } from './types.ts';

/** What a run ends by; may be changed while it trains and after. */
export interface RunLimits {
  readonly epochs?: number;
  readonly patience?: number;
}

/**
 * Refuses to bring a run to another worker that is done and has nothing left to train there: it
 * would only score the test split again.
 * @throws TeletrainError `run-done`.
 */
export function requireMoreToTrain(view: RunView, changes: RunLimits = {}): void {
  if (view.state !== 'done') return;
  const epochs = changes.epochs ?? view.epochs;
  const patience = changes.patience ?? view.patience;
  const isPatienceOver = patience > 0 && epochsWithoutBetter(view) >= patience;
  if (epochs > view.epoch && !isPatienceOver) return;
  const { id } = view.record;
  const why = isPatienceOver
    ? `with patience ${patience}`
    : `after ${view.epoch} of ${epochs} epochs`;
  throw new TeletrainError('run-done', `Run "${id}" is done ${why}.`, {
    hint: isPatienceOver
      ? `Resume it with a larger patience (0: never): teletrain resume ${id} --patience N.`
      : `Resume it with more epochs: teletrain resume ${id} --epochs N.`,
  });
}

/** Ended epochs since the one with the lowest validation loss, the first of equal ones. */
function epochsWithoutBetter({ series }: RunView): number {
  const losses = series.get('validation/loss/epoch');
  if (!losses || losses.length === 0) return 0;
  const values = losses.values.subarray(0, losses.length);
  return losses.length - 1 - values.indexOf(Math.min(...values));
}
