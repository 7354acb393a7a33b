import type { Best, Progress } from '../checkpoints/state.ts';

type EarlyStopping = Progress['earlyStopping'];

/** After an epoch's validation: is it the best so far (by loss, strictly less), and how long since? */
export function judgeEpoch(before: EarlyStopping, epoch: Best): EarlyStopping {
  return before.best === undefined || epoch.loss < before.best.loss
    ? { best: epoch, epochsWithoutBetter: 0 }
    : { ...before, epochsWithoutBetter: before.epochsWithoutBetter + 1 };
}

export type EndReason = 'epochs' | 'patience' | 'stop-epoch';

/** Why a run ends after an epoch, if it does. Patience 0 never ends it. */
export function endReason(progress: Progress, stopsAfterEpoch: boolean): EndReason | undefined {
  if (!progress.epochFinished) return undefined;
  const { epochsWithoutBetter } = progress.earlyStopping;
  if (progress.epoch >= progress.epochs) return 'epochs';
  if (progress.patience > 0 && epochsWithoutBetter >= progress.patience) return 'patience';
  return stopsAfterEpoch ? 'stop-epoch' : undefined;
}
