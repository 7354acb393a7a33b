import { TeletrainError } from '../../../shared/errors.ts';
import type { EventOf } from '../../../shared/events.ts';
import { exchangeAverages } from '../checkpoints/averages.ts';
import { isErrnoException } from '../checkpoints/errno.ts';
import { checkpointFiles } from '../checkpoints/files.ts';
import { rotateCheckpoints } from '../checkpoints/rotation.ts';
import { checkpointId, saveCheckpoint } from '../checkpoints/save.ts';
import type { CheckpointState, Progress } from '../checkpoints/state.ts';
import { fetchTensors, findNotFinite } from '../checkpoints/tensors.ts';
import { logTo } from './journal.ts';
import { NotFinite } from './not-finite.ts';
import { datasetFacts, type RunParts } from './parts.ts';

export type CheckpointReason = EventOf<'checkpoint'>['reason'];

/** Saves a run's checkpoints, tells of them, and removes those that need not be kept. */
export class CheckpointKeeper {
  readonly #parts: RunParts;
  #savedAt: number;
  #saved: Pick<Progress, 'step' | 'epochFinished'> | undefined;

  /** @param saved Where the run goes on from, when that is a checkpoint on disk. */
  constructor(parts: RunParts, saved?: Progress) {
    this.#parts = parts;
    this.#saved = saved;
    this.#savedAt = parts.controls.activeMs();
  }

  /** Is the last one older than `checkpointMinutes`? */
  isDue(progress: Progress): boolean {
    const { controls, settings } = this.#parts;
    const age = controls.activeMs() - this.#savedAt;
    const last = this.#saved?.step ?? 0;
    return age >= settings.checkpointMinutes * 60_000 && progress.step !== last;
  }

  /**
   * Saves unless this very state was saved. A disk that fails ends the run only where the user
   * counts on the checkpoint (`stop` and `end`); else it is logged and the next one is tried.
   * @throws NotFinite: broken weights are never saved. TeletrainError `checkpoint-failed`.
   */
  async save(reason: CheckpointReason, progress: Progress): Promise<void> {
    const { step, epochFinished } = progress;
    if (this.#saved?.step === step && this.#saved.epochFinished === epochFinished) return;
    this.#parts.status.phase('saving');
    try {
      await this.#write(reason, progress);
      this.#saved = { step, epochFinished };
    } catch (cause) {
      if (!isErrnoException(cause)) throw cause;
      const what = `Checkpoint of step ${step} could not be written: ${cause.message}.`;
      if (reason === 'stop' || reason === 'end') {
        throw new TeletrainError('checkpoint-failed', what, {
          hint: "Make room on the worker's disk and resume the run.",
          cause,
        });
      }
      logTo(this.#parts.journal).error(`${what} The run goes on without it.`);
    }
    this.#savedAt = this.#parts.controls.activeMs();
  }

  async #write(reason: CheckpointReason, progress: Progress): Promise<void> {
    const { model, optimizer, record, journal, checkpointFolder } = this.#parts;
    const { step, epoch } = progress;
    const weights = await fetchTensors(model.variables);
    const slots = await fetchTensors(optimizer.slots());
    const broken = findNotFinite(weights) ?? findNotFinite(slots);
    if (broken !== undefined) throw new NotFinite(`After step ${step}, ${broken} is not finite`);

    const id = checkpointId(step);
    const { best } = progress.earlyStopping;
    const isBest = best?.checkpoint === id;
    const files = checkpointFiles({
      state: this.#state(progress),
      ...exchangeAverages({ weights, slots }),
      keras: model.keras,
    });
    // Else a crash could leave a checkpoint whose metrics nobody ever received.
    await journal.kept();
    const saved = await saveCheckpoint(
      checkpointFolder,
      {
        run: record.id,
        id,
        step,
        epoch,
        createdAt: Date.now(),
        ...(isBest && { validationLoss: best.loss }),
      },
      files,
    );
    journal.send({ type: 'checkpoint', step, epoch, reason, best: isBest, ...saved });
    await this.#rotate(id, best?.checkpoint);
  }

  async #rotate(latest: string, best: string | undefined): Promise<void> {
    const { controls, settings, journal, checkpointFolder } = this.#parts;
    const always = new Set([latest, ...controls.pinned, ...(best === undefined ? [] : [best])]);
    const kept = { latest: settings.keepCheckpoints, always };
    for (const id of await rotateCheckpoints(checkpointFolder, kept)) {
      journal.send({ type: 'checkpoint-removed', id });
    }
  }

  #state(progress: Progress): CheckpointState {
    const { record, settings, engine, dataset, optimizer, version } = this.#parts;
    return {
      format: 1,
      run: record.id,
      recipe: record.recipe,
      settings,
      version,
      engine: engine.report,
      dataset: datasetFacts(dataset),
      random: { seed: settings.seed },
      optimizer: { iterations: optimizer.iterations },
      progress,
    };
  }
}
