import { type Clock, systemClock } from '../../shared/clock.ts';
import type { EngineReport } from '../../shared/engine-report.ts';
import { isFinal, type NewEvent, type RunStatus } from '../../shared/events.ts';
import type { WireError } from '../../shared/messages.ts';
import { Turns } from '../../shared/turns.ts';
import { ActiveRun } from './active-run.ts';
import type { Engine } from './engine-process.ts';
import { afterWorkerRestart } from './recovery.ts';
import type { Run } from './run.ts';
import { type Asked, stateReasons } from './run-fold.ts';
import type { Runs } from './runs.ts';
import { Supervision } from './supervision.ts';
import {
  refuseDone,
  requireCheckpoint,
  runNotActive,
  workerBusy,
  workerStopping,
} from './training-refusals.ts';
import { untoldRemovals } from './untold-removals.ts';

export interface TrainingOptions {
  readonly runs: Runs;
  readonly engine: Engine;
  readonly dataDir: string | undefined;
  readonly cacheDir: string;
  /** For the worker's own output. */
  readonly onWarning: (message: string) => void;
  readonly onStatus: (status: RunStatus) => void;
  /** The engine is loaded and tested. */
  readonly onReady: (report: EngineReport) => void;
  /** What the engine does until then. */
  readonly onProgress: (message: string) => void;
  /** The engine cannot work here at all. */
  readonly onUnusable: (error: WireError) => void;
  readonly clock?: Clock;
}

/**
 * What is asked of the one run that trains. It is journaled before it is answered, with the key of the
 * request that asked, so a restart of the gateway does not forget it.
 */
export class Training {
  readonly #options: TrainingOptions;
  readonly #active: ActiveRun;
  readonly #supervision: Supervision;
  /** Commands one after the other, so that each sees what the one before it did. */
  readonly #turns = new Turns();
  #report: EngineReport | undefined;

  constructor(options: TrainingOptions) {
    this.#options = options;
    const { engine, dataDir, cacheDir, onWarning, onStatus, onUnusable } = options;
    const { clock = systemClock } = options;
    const active = new ActiveRun({ engine, dataDir, cacheDir, clock });
    const supervision = new Supervision({
      ...{ active, engine, turns: this.#turns },
      ...{ onWarning, onStatus, onUnusable },
    });
    this.#active = active;
    this.#supervision = supervision;
    engine.listen({
      ready: (report) => {
        this.#report = report;
        supervision.engineReady();
        options.onReady(report);
        active.launch();
      },
      said: (line) => {
        if (!engine.isReady) options.onProgress(line);
      },
      message: (message) => supervision.heard(message),
      event: ({ run, event }) => supervision.journal(run, event),
      ended: (end) => void this.#turns.take(() => supervision.engineEnded(end)),
    });
  }

  get active(): Run | undefined {
    return this.#active.run;
  }

  get report(): EngineReport | undefined {
    return this.#report;
  }

  /** Starts what was active when the gateway last ended. What is asked of a run meanwhile waits for it. */
  async recover(mayGoOn: boolean): Promise<void> {
    await this.#turns.take(async () => {
      for (const run of this.#options.runs.all) {
        if (isFinal(run.fold.state)) continue;
        const recovery = afterWorkerRestart(run.fold, mayGoOn && this.active === undefined);
        await this.#supervision.carryOut(run, recovery);
      }
    });
  }

  /** @throws TeletrainError `worker-busy`, `run-exists`, `journal-failed`. */
  async start(make: () => Promise<Run>, request?: string): Promise<Run> {
    return await this.#turns.take(async () => {
      this.#refuseBusy();
      const run = await make();
      try {
        await run.append({ type: 'state', state: 'starting', request });
      } catch (error) {
        await this.#options.runs.discard(run).catch((cause: unknown) => {
          this.#options.onWarning(`Run ${run.id} did not begin and cannot be removed: ${cause}`);
        });
        throw error;
      }
      this.#active.begin(run);
      return run;
    });
  }

  /** @throws TeletrainError `run-not-active`. */
  async pause(run: Run, request?: string): Promise<void> {
    await this.#turns.take(async () => {
      this.#refuseInactive(run);
      if (run.fold.state === 'paused') return;
      await this.#ask(run, 'pause', request);
      this.#active.tellEngine({ type: 'pause' });
    });
  }

  /**
   * Goes on with a paused run, or with an ended one from its last checkpoint.
   * @throws TeletrainError `worker-busy`, `run-done`, `no-checkpoint`, `journal-failed`.
   */
  async resume(run: Run, request?: string): Promise<void> {
    await this.#turns.take(async () => {
      if (run === this.active) {
        if (run.fold.state !== 'paused' && run.fold.asked !== 'pause') return;
        await this.#ask(run, 'continue', request);
        if (this.#active.isEngineOnIt) this.#active.tellEngine({ type: 'continue' });
        else this.#active.begin(run);
        return;
      }
      this.#refuseBusy();
      refuseDone(run);
      run.retryJournal();
      const starting: NewEvent = {
        type: 'state',
        state: 'starting',
        reason: stateReasons.resumed,
        request,
      };
      if (run.imported && !run.isBegun) {
        await requireCheckpoint(run, run.imported.checkpoint.id);
        // Its other worker may have gone further: what readers have of that is void from here on.
        await run.append({ type: 'rewind', toStep: run.imported.checkpoint.step }, starting);
      } else {
        await run.append(...(await untoldRemovals(run)), starting);
      }
      this.#active.begin(run);
    });
  }

  /** @throws TeletrainError `run-not-active`. */
  async stop(run: Run, when: 'now' | 'epoch', request?: string): Promise<void> {
    await this.#turns.take(async () => {
      this.#refuseInactive(run);
      await this.#ask(run, when === 'now' ? 'stop-now' : 'stop-epoch', request);
      if (this.#active.isEngineOnIt) {
        this.#active.tellEngine({ type: 'stop', when });
        return;
      }
      const { state } = run.fold;
      if (when === 'now' || state === 'paused') {
        await this.#supervision.carryOut(run, {
          kind: 'settle',
          event: { type: 'state', state: 'stopped', reason: `stop-${when}` },
        });
      }
    });
  }

  /**
   * Of an active run, or of one that ended: then for when it is resumed.
   * @throws TeletrainError `run-not-active` for one that was brought here and did not begin: its
   * first event is another. `journal-failed`.
   */
  async change(
    run: Run,
    changed: { epochs?: number; patience?: number },
    request?: string,
  ): Promise<void> {
    await this.#turns.take(async () => {
      if (run === this.active) {
        await this.#note(run, { ...changed, request });
        this.#active.tellEngine({ type: 'change', ...changed });
        return;
      }
      if (!run.isBegun) this.#refuseInactive(run);
      run.retryJournal();
      await run.append({ type: 'change', ...changed, request });
      await run.rest();
    });
  }

  /** Something that whoever follows the active run should know; where none is active, nobody need. */
  async note(message: string): Promise<void> {
    await this.#turns.take(async () => {
      const run = this.active;
      if (run) await this.#supervision.append(run, { type: 'log', level: 'info', message });
    });
  }

  /** Somebody reads this checkpoint: keep it for a while. */
  pin(run: Run, checkpoint: string): void {
    this.#active.pin(run, checkpoint);
  }

  /** Ends the engine; an active run leaves a checkpoint and becomes `interrupted`. */
  async end(graceMs: number): Promise<void> {
    this.#active.end();
    await this.#options.engine.shutDown(graceMs);
    await this.#supervision.settled;
    await this.#turns.take(async () => {
      const run = this.active;
      if (run && !isFinal(run.fold.state)) {
        await this.#supervision.append(run, {
          type: 'state',
          state: 'interrupted',
          reason: stateReasons.workerStopped,
          message: 'The worker was stopped.',
        });
      }
      await run?.rest();
      this.#active.leave();
    });
  }

  #refuseBusy(): void {
    if (this.#active.isEnding) throw workerStopping();
    if (this.active) throw workerBusy(this.active);
  }

  #refuseInactive(run: Run): void {
    if (run !== this.active) throw runNotActive(run);
  }

  async #ask(run: Run, asked: Asked, request: string | undefined): Promise<void> {
    await this.#note(run, { asked, request });
  }

  /** Where the disk refused an earlier command, it may take this one: only a refused event of the engine's ends a run. */
  async #note(
    run: Run,
    change: Omit<Extract<NewEvent, { type: 'change' }>, 'type'>,
  ): Promise<void> {
    run.retryJournal();
    await run.append({ type: 'change', ...change });
  }
}
