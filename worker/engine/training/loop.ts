import type { EventOf } from '../../../shared/events.ts';
import { checkpointId } from '../checkpoints/save.ts';
import type { Progress } from '../checkpoints/state.ts';
import { epochOrder } from '../datasets/order.ts';
import { disposeGradients } from '../models/gradients.ts';
import { applyGradients } from './apply-gradients.ts';
import { batchCount, batchRange, disposeBatch } from './batches.ts';
import type { CheckpointKeeper } from './checkpoint-keeper.ts';
import { type EndReason, endReason, judgeEpoch } from './early-stopping.ts';
import { evaluateSplit, takeValues } from './evaluate.ts';
import { logTo } from './journal.ts';
import { addBatch, means, noSums } from './means.ts';
import { NotFinite } from './not-finite.ts';
import { Pace, type RemainingWork } from './pace.ts';
import type { RunParts } from './parts.ts';
import { isPictureModel, sampleGrid } from './samples.ts';
import type { StatusSource } from './status.ts';

/**
 * Trains from wherever `progress` stands. All that decides what comes next is in `progress`, the
 * weights and the optimizer, so a run can be left after any update and taken up again elsewhere.
 */
export class TrainingLoop implements StatusSource {
  readonly #parts: RunParts;
  readonly #keeper: CheckpointKeeper;
  readonly pace = new Pace();
  readonly stepsPerEpoch: number;
  #progress: Progress;
  #order: Uint32Array | undefined;
  #lapFrom: number;
  #liveTensors: number | undefined;

  constructor(parts: RunParts, progress: Progress, keeper: CheckpointKeeper) {
    this.#parts = parts;
    this.#keeper = keeper;
    this.#progress = progress;
    this.stepsPerEpoch = batchCount(parts.dataset.train.count, parts.settings.batchSize);
    this.#lapFrom = parts.controls.activeMs();
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Takes effect at the next end of an epoch. */
  changeLimits(change: { epochs?: number | undefined; patience?: number | undefined }): void {
    const { epochs, patience } = this.#progress;
    this.#update({ epochs: change.epochs ?? epochs, patience: change.patience ?? patience });
  }

  /**
   * Trains until the run ends after an epoch; its checkpoint is then saved.
   * @throws StopRequested between two steps; the caller saves. NotFinite.
   */
  async run(): Promise<EndReason> {
    for (;;) {
      const end = endReason(this.#progress, this.#parts.controls.stopsAfterEpoch);
      if (end !== undefined) return end;
      if (this.#progress.epochFinished) this.#beginEpoch();
      await this.#trainEpoch();
      await this.#finishEpoch();
    }
  }

  remainingWork(): RemainingWork {
    const { dataset, settings, model } = this.#parts;
    const { epoch, epochs, position, epochFinished } = this.#progress;
    const epochsAfter = Math.max(0, epochs - epoch);
    const steps = this.stepsPerEpoch * epochsAfter + this.stepsPerEpoch - position;
    const validations = epochsAfter + (epochFinished ? 0 : 1);
    const sampleSteps = this.#sampleSteps();
    const validationBatches = batchCount(dataset.validation.count, settings.batchSize);
    return {
      steps,
      validations,
      sampleGrids: isPictureModel(model)
        ? validations + (sampleSteps > 0 ? Math.floor(steps / sampleSteps) : 0)
        : 0,
      // The last weights and the best ones.
      testsInValidations: (2 * dataset.test.count) / dataset.validation.count,
      validationInSteps: validationBatches / 3,
    };
  }

  #beginEpoch(): void {
    this.#order = undefined;
    this.#update({
      epoch: this.#progress.epoch + 1,
      position: 0,
      epochFinished: false,
      sums: noSums,
      seconds: { epoch: 0, training: 0 },
    });
  }

  async #trainEpoch(): Promise<void> {
    const { controls, status } = this.#parts;
    for (;;) {
      if (this.#isSampleDue()) await this.#sample();
      const { position } = this.#progress;
      if (position === this.stepsPerEpoch) return;
      if (this.#keeper.isDue(this.#progress)) await this.#keeper.save('time', this.#progress);
      status.phase('training', position / this.stepsPerEpoch);
      await controls.gate();
      await this.#step();
    }
  }

  async #step(): Promise<void> {
    const { dataset, settings, model, optimizer, gather, controls, journal } = this.#parts;
    const { epoch, position } = this.#progress;
    const startedAt = controls.activeMs();
    this.#order ??= epochOrder(settings.seed, epoch - 1, dataset.train.count);
    const { from, to } = batchRange(position, settings.batchSize, dataset.train.count);
    const batch = gather(dataset.train, from, to, this.#order);
    const { gradients, ...result } = model.lossAndGradients(batch);
    disposeBatch(batch);
    const values = await takeValues(result);
    const step = this.#progress.step + 1;
    this.#sendMetrics('train', 'step', values, step);
    if (!Number.isFinite(values.loss)) {
      disposeGradients(gradients);
      throw new NotFinite(`The training loss at step ${step} is ${values.loss}`);
    }
    applyGradients(optimizer, gradients, settings.clipNorm);
    // A gateway that is slow to take events slows the training down rather than fill the memory.
    await journal.room();

    const ms = controls.activeMs() - startedAt;
    this.pace.step(controls.activeMs(), ms, to - from);
    const { epoch: epochSeconds, training } = this.#progress.seconds;
    this.#update({
      step,
      position: position + 1,
      sums: addBatch(this.#progress.sums, values, to - from),
      seconds: { epoch: epochSeconds, training: training + ms / 1000 },
    });
    this.#lap();
  }

  /** The test digits' upper halves are shown to the model here; their likelihood is not looked at. */
  async #sample(): Promise<void> {
    const { dataset, settings, model, optimizer, controls, status, journal, showDrawing } =
      this.#parts;
    if (!isPictureModel(model) || !('sampleCount' in settings)) return;
    status.phase('sampling', 0);
    const startedAt = controls.activeMs();
    const { step, epoch } = this.#progress;
    journal.send(
      await optimizer.withAverages(() =>
        sampleGrid(model, dataset.test, {
          seed: settings.seed,
          step,
          epoch,
          count: settings.sampleCount,
          gate: () => controls.gate(),
          onProgress: (done) => status.phase('sampling', done),
          onDrawing: showDrawing,
        }),
      ),
    );
    this.pace.sampleGrid(controls.activeMs() - startedAt);
    this.#update({ sampledStep: step });
    this.#lap();
  }

  /** Every `sampleSteps` steps and after an epoch's last. */
  #isSampleDue(): boolean {
    const { step, sampledStep, position } = this.#progress;
    const sampleSteps = this.#sampleSteps();
    if (!isPictureModel(this.#parts.model) || step === sampledStep) return false;
    return position === this.stepsPerEpoch || (sampleSteps > 0 && step % sampleSteps === 0);
  }

  #sampleSteps(): number {
    const { settings } = this.#parts;
    return 'sampleSteps' in settings ? settings.sampleSteps : 0;
  }

  /** Validates, reports the epoch, and saves. Nothing is reported before all of it is known. */
  async #finishEpoch(): Promise<void> {
    const { dataset, settings, model, optimizer, gather, controls, status, engine, journal } =
      this.#parts;
    status.phase('validating', 0);
    const startedAt = controls.activeMs();
    const validation = await optimizer.withAverages(() =>
      evaluateSplit(model, dataset.validation, {
        batchSize: settings.batchSize,
        gather,
        gate: () => controls.gate(),
        onProgress: (done) => status.phase('validating', done),
      }),
    );
    this.pace.validation(controls.activeMs() - startedAt);
    this.#lap();

    const { step, epoch, sums, seconds, earlyStopping } = this.#progress;
    this.#sendMetrics('train', 'epoch', means(sums), step);
    this.#sendMetrics('validation', 'epoch', validation, step);
    const loss = validation.loss ?? Number.NaN;
    if (!Number.isFinite(loss)) {
      throw new NotFinite(`The validation loss after epoch ${epoch} is ${loss}`);
    }
    const liveTensors = engine.liveTensors();
    journal.send({
      type: 'epoch',
      step,
      epoch,
      seconds: seconds.epoch,
      examplesPerSecond: seconds.training > 0 ? sums.examples / seconds.training : 0,
      liveTensors,
    });
    this.#watchLiveTensors(liveTensors);
    const judged = judgeEpoch(earlyStopping, { loss, step, epoch, checkpoint: checkpointId(step) });
    this.#update({ epochFinished: true, earlyStopping: judged });
    const end = endReason(this.#progress, controls.stopsAfterEpoch);
    const reasons = { epochs: 'end', patience: 'end', 'stop-epoch': 'stop' } as const;
    await this.#keeper.save(end === undefined ? 'epoch' : reasons[end], this.#progress);
  }

  /** Handles that grow from epoch to epoch would use up the memory of a long run. */
  #watchLiveTensors(now: number): void {
    if (this.#liveTensors !== undefined && now > this.#liveTensors) {
      logTo(this.#parts.journal).warning(
        `Live tensors grew from ${this.#liveTensors} to ${now} within an epoch: memory is leaking.`,
      );
    }
    this.#liveTensors = now;
  }

  #sendMetrics(
    split: EventOf<'metric'>['split'],
    per: EventOf<'metric'>['per'],
    values: Readonly<Record<string, number>>,
    step: number,
  ): void {
    const { epoch } = this.#progress;
    for (const [name, value] of Object.entries(values)) {
      this.#parts.journal.send({ type: 'metric', step, epoch, split, per, name, value });
    }
  }

  /** Adds the time since the last lap to the epoch's. */
  #lap(): void {
    const now = this.#parts.controls.activeMs();
    const { epoch, training } = this.#progress.seconds;
    this.#update({ seconds: { epoch: epoch + (now - this.#lapFrom) / 1000, training } });
    this.#lapFrom = now;
  }

  #update(change: Partial<Progress>): void {
    this.#progress = { ...this.#progress, ...change };
  }
}
