import { TeletrainError } from '../../shared/errors.ts';
import { completeSettings, recipeNamed } from '../../shared/recipes.ts';
import type { Run } from './run.ts';

/** Why a worker does not do what it is asked to do with a run. */

export function workerStopping(): TeletrainError {
  return new TeletrainError('worker-stopping', 'The worker is stopping.', {
    hint: 'Start it again first.',
  });
}

export function workerBusy({ id }: Run): TeletrainError {
  return new TeletrainError('worker-busy', `This worker is busy with run "${id}".`, {
    hint: `Wait for it, or stop it with "teletrain stop ${id}".`,
  });
}

export function runNotActive({ id, fold }: Run): TeletrainError {
  return new TeletrainError('run-not-active', `Run "${id}" is not active: it is ${fold.state}.`, {
    hint:
      fold.state === 'done'
        ? `Train it longer by "teletrain resume ${id} --epochs N".`
        : `Go on with it by "teletrain resume ${id}".`,
  });
}

/**
 * Without what it was imported to go on from, a run would silently start over.
 * @throws TeletrainError `no-checkpoint`.
 */
export async function requireCheckpoint(run: Run, id: string): Promise<void> {
  const whole = await run.directory.checkpoints();
  if (whole.some((checkpoint) => checkpoint.id === id)) return;
  throw new TeletrainError(
    'no-checkpoint',
    `Checkpoint ${id}, from which run "${run.id}" is to go on, has not wholly arrived here.`,
    { hint: `Send the rest of it: teletrain resume ${run.id} --on <this worker>.` },
  );
}

/**
 * A run that is done has nothing left to train until its limits are raised; resumed all the same it
 * would only score the test split again.
 * @throws TeletrainError `run-done`.
 */
export function refuseDone({ id, record, fold }: Run): void {
  const { state, reason, epoch, changed, done } = fold;
  if (state !== 'done') return;
  const settings = completeSettings(recipeNamed(record.recipe).name, record.settings);
  const { epochs, patience } = { ...settings, ...changed };
  const endedBy = { ...settings, ...done?.changed };
  const isPatienceOver = reason === 'patience' && patience > 0 && patience <= endedBy.patience;
  if (epochs > epoch && !isPatienceOver) return;
  const why = isPatienceOver ? `with patience ${patience}` : `after ${epoch} of ${epochs} epochs`;
  const raise = isPatienceOver
    ? `Raise the patience first (0: never), with "teletrain change ${id} --patience N"`
    : `Raise the epochs first, with "teletrain change ${id} --epochs N"`;
  throw new TeletrainError('run-done', `Run "${id}" is done ${why}.`, {
    hint: `${raise}; then resume it.`,
  });
}
