import { type Clock, every, systemClock } from '../../shared/clock.ts';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { TeletrainError } from '../../shared/errors.ts';
import { type EventBody, isFinal, type NewEvent, type RunStatus } from '../../shared/events.ts';
import type { WireError } from '../../shared/messages.ts';
import type { FromEngine } from '../channel.ts';
import type { Engine, EngineEnd } from './engine-process.ts';
import { EventKeeper } from './event-keeper.ts';
import { Pins } from './pins.ts';
import {
  afterEngineCrash,
  afterUnusableEngine,
  afterWorkerRestart,
  type Recovery,
} from './recovery.ts';
import type { Run } from './run.ts';
import { type Asked, stateReasons } from './run-fold.ts';
import type { Runs } from './runs.ts';
import { startCommand } from './start-command.ts';
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

const pinCheckMs = 5_000;

/**
 * The one run that trains: takes commands, gives the engine's events numbers through the run's
 * journal, and starts the engine again when it crashed. What was asked is journaled before it is
 * answered, with the key of the request that asked, so a restart of the gateway does not forget it.
 */
export class Training {
  readonly #options: TrainingOptions;
  readonly #pins = new Pins();
  readonly #clock: Clock;
  readonly #stopPinTimer: () => void;
  #active: Run | undefined;
  /** The engine was told to start the active run, and has not ended since. */
  #isEngineOnIt = false;
  /** Calls off a restart that the engine waits for. */
  #stopRestart: (() => void) | undefined;
  #report: EngineReport | undefined;
  #isEnding = false;
  readonly #keeper = new EventKeeper((run, error) => this.#journalFailed(run, error));
  /** Commands one after the other, so that each sees what the one before it did. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: TrainingOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    options.engine.listen({
      ready: (report) => {
        this.#report = report;
        options.onReady(report);
        this.#launch();
      },
      said: (line) => {
        if (!options.engine.isReady) options.onProgress(line);
      },
      message: (message) => this.#heard(message),
      event: ({ run, event }) => this.#journal(run, event),
      ended: (end) => void this.#inTurn(() => this.#engineEnded(end)),
    });
    this.#stopPinTimer = every(this.#clock, pinCheckMs, () => {
      if (this.#pins.expire(this.#clock.monotonic())) this.#sendPins();
    });
  }

  get active(): Run | undefined {
    return this.#active;
  }

  get report(): EngineReport | undefined {
    return this.#report;
  }

  /** Starts what was active when the gateway last ended. */
  async recover(mayGoOn: boolean): Promise<void> {
    for (const run of this.#options.runs.all) {
      if (isFinal(run.fold.state)) continue;
      const recovery = afterWorkerRestart(run.fold, mayGoOn && this.#active === undefined);
      await this.#carryOut(run, recovery);
    }
  }

  /** @throws TeletrainError `worker-busy`, `run-exists`, `journal-failed`. */
  async start(make: () => Promise<Run>, request?: string): Promise<Run> {
    return await this.#inTurn(async () => {
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
      this.#begin(run);
      return run;
    });
  }

  /** @throws TeletrainError `run-not-active`. */
  async pause(run: Run, request?: string): Promise<void> {
    await this.#inTurn(async () => {
      this.#refuseInactive(run);
      if (run.fold.state === 'paused') return;
      await this.#ask(run, 'pause', request);
      this.#tellEngine({ type: 'pause' });
    });
  }

  /**
   * Goes on with a paused run, or with an ended one from its last checkpoint.
   * @throws TeletrainError `worker-busy`, `run-done`, `no-checkpoint`, `journal-failed`.
   */
  async resume(run: Run, request?: string): Promise<void> {
    await this.#inTurn(async () => {
      if (run === this.#active) {
        if (run.fold.state !== 'paused' && run.fold.asked !== 'pause') return;
        await this.#ask(run, 'continue', request);
        if (this.#isEngineOnIt) this.#tellEngine({ type: 'continue' });
        else this.#begin(run);
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
      this.#begin(run);
    });
  }

  /** @throws TeletrainError `run-not-active`. */
  async stop(run: Run, when: 'now' | 'epoch', request?: string): Promise<void> {
    await this.#inTurn(async () => {
      this.#refuseInactive(run);
      await this.#ask(run, when === 'now' ? 'stop-now' : 'stop-epoch', request);
      if (this.#isEngineOnIt) {
        this.#tellEngine({ type: 'stop', when });
        return;
      }
      const { state } = run.fold;
      if (when === 'now' || state === 'paused') {
        await this.#carryOut(run, {
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
    await this.#inTurn(async () => {
      if (run === this.#active) {
        await this.#note(run, { ...changed, request });
        this.#tellEngine({ type: 'change', ...changed });
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
    await this.#inTurn(async () => {
      if (this.#active)
        await this.#keeper.append(this.#active, { type: 'log', level: 'info', message });
    });
  }

  /** Somebody reads this checkpoint: keep it for a while. */
  pin(run: Run, checkpoint: string): void {
    if (run !== this.#active) return;
    if (this.#pins.touch(checkpoint, this.#clock.monotonic())) this.#sendPins();
  }

  /** Ends the engine; an active run leaves a checkpoint and becomes `interrupted`. */
  async end(graceMs: number): Promise<void> {
    this.#isEnding = true;
    this.#stopPinTimer();
    this.#stopRestart?.();
    await this.#options.engine.shutDown(graceMs);
    await this.#keeper.settled;
    await this.#inTurn(async () => {
      const run = this.#active;
      if (run && !isFinal(run.fold.state)) {
        await this.#keeper.append(run, {
          type: 'state',
          state: 'interrupted',
          reason: stateReasons.workerStopped,
          message: 'The worker was stopped.',
        });
      }
      await run?.rest();
      this.#active = undefined;
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #refuseBusy(): void {
    if (this.#isEnding) throw workerStopping();
    if (this.#active) throw workerBusy(this.#active);
  }

  #refuseInactive(run: Run): void {
    if (run !== this.#active) throw runNotActive(run);
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

  #begin(run: Run): void {
    this.#stopRestart?.();
    this.#stopRestart = undefined;
    this.#active = run;
    this.#isEngineOnIt = false;
    this.#launch();
  }

  /** Starts the engine if it is not there, else gives it the active run. */
  #launch(): void {
    const run = this.#active;
    const { engine, dataDir, cacheDir } = this.#options;
    if (
      !run ||
      this.#isEngineOnIt ||
      this.#isEnding ||
      this.#stopRestart ||
      isFinal(run.fold.state)
    )
      return;
    if (run.fold.state === 'paused' && run.fold.asked !== 'continue') return;
    if (!engine.isReady) {
      void engine.start();
      return;
    }
    this.#isEngineOnIt = true;
    engine.send(startCommand(run, { dataDir, cacheDir }));
    this.#sendPins();
    if (run.fold.asked === 'pause') engine.send({ type: 'pause' });
    if (run.fold.asked === 'stop-epoch') engine.send({ type: 'stop', when: 'epoch' });
    if (run.fold.asked === 'stop-now') engine.send({ type: 'stop', when: 'now' });
  }

  #tellEngine(message: Parameters<Engine['send']>[0]): void {
    if (this.#isEngineOnIt) this.#options.engine.send(message);
  }

  #sendPins(): void {
    this.#tellEngine({ type: 'pin', checkpoints: this.#pins.checkpoints });
  }

  #heard(message: Extract<FromEngine, { type: 'status' | 'drawing' }>): void {
    const run = this.#active;
    if (!run) return;
    if (message.type === 'status') {
      if (message.status.run !== run.id) return;
      run.tell(message.status);
      this.#options.onStatus(message.status);
    } else if (message.drawing.run === run.id) {
      run.show(message.drawing);
    }
  }

  /** An event of the engine's. What makes the run end is handled after it is on disk. */
  async #journal(id: string, body: EventBody): Promise<void> {
    const run = this.#active;
    if (run?.id !== id) return;
    const event = await this.#keeper.keep(run, body);
    if (event?.type === 'state' && isFinal(event.state)) await this.#inTurn(() => this.#leave(run));
  }

  /** The disk took an event no more. */
  async #journalFailed(run: Run, error: TeletrainError): Promise<void> {
    if (run !== this.#active || isFinal(run.fold.state)) return;
    this.#active = undefined;
    this.#isEngineOnIt = false;
    this.#options.onWarning(`Run ${run.id} ends. ${error.message} ${error.hint}`);
    this.#options.engine.kill();
    run.failed(error);
    await run.rest();
  }

  async #leave(run: Run): Promise<void> {
    if (run !== this.#active) return;
    this.#active = undefined;
    this.#isEngineOnIt = false;
    await run.rest();
  }

  async #engineEnded(end: EngineEnd): Promise<void> {
    await this.#keeper.settled;
    this.#isEngineOnIt = false;
    if (this.#isEnding) return;
    const run = this.#active;
    if (run && !isFinal(run.fold.state)) {
      await this.#crashed(run, end);
    } else {
      if (run) await this.#leave(run);
      if (!end.unusable) this.#options.onWarning(`The engine ${end.how}.`);
    }
    if (end.unusable) this.#options.onUnusable(end.unusable);
    else if (!this.#report && !this.#active) this.#options.onUnusable(neverReady(end));
  }

  async #crashed(run: Run, end: EngineEnd): Promise<void> {
    if (end.lastWords.length > 0) {
      const message = `The engine's last words:\n${end.lastWords.join('\n')}`.slice(0, 8000);
      await this.#keeper.append(run, { type: 'log', level: 'error', message });
    }
    const { unusable, how } = end;
    await this.#carryOut(
      run,
      unusable ? afterUnusableEngine(unusable) : afterEngineCrash(run.fold, how),
    );
  }

  async #carryOut(run: Run, recovery: Recovery): Promise<void> {
    for (const event of await untoldRemovals(run)) await this.#keeper.append(run, event);
    if (recovery.kind === 'leave') {
      this.#active = isFinal(run.fold.state) ? undefined : run;
      return;
    }
    await this.#keeper.append(run, recovery.event);
    // The disk refused that, by which the run ended: nobody is to take it for the active one.
    if (isFinal(run.fold.state) && !isFinal(recovery.event.state)) return;
    if (recovery.kind === 'settle') {
      if (isFinal(recovery.event.state)) await this.#leave(run);
      else this.#active = run;
      return;
    }
    this.#active = run;
    this.#stopRestart = this.#clock.after(recovery.waitMs, () => {
      this.#stopRestart = undefined;
      this.#launch();
    });
  }
}

function neverReady({ how, lastWords }: EngineEnd): WireError {
  const said = lastWords.at(-1);
  return {
    code: 'engine-crashed',
    message: `The engine ${how} before it was ready${said ? `: ${said}` : '.'}`,
    hint: 'See "teletrain doctor" for what is missing.',
  };
}
