import { type Clock, every } from '../../shared/clock.ts';
import { isFinal } from '../../shared/events.ts';
import type { Engine } from './engine-process.ts';
import { Pins } from './pins.ts';
import type { Run } from './run.ts';
import { startCommand } from './start-command.ts';

export interface ActiveRunOptions {
  readonly engine: Engine;
  readonly dataDir: string | undefined;
  readonly cacheDir: string;
  readonly clock: Clock;
}

const pinCheckMs = 5_000;

/** Which run trains, if any, and whether the engine is on it: gives it to the engine as soon as that can take it. */
export class ActiveRun {
  readonly #options: ActiveRunOptions;
  readonly #pins = new Pins();
  readonly #stopPinTimer: () => void;
  #run: Run | undefined;
  /** The engine was told to start the run, and has not ended since. */
  #isEngineOnIt = false;
  /** Calls off a restart that the engine waits for. */
  #stopRestart: (() => void) | undefined;
  #isEnding = false;

  constructor(options: ActiveRunOptions) {
    this.#options = options;
    const { clock } = options;
    this.#stopPinTimer = every(clock, pinCheckMs, () => {
      if (this.#pins.expire(clock.monotonic())) this.#sendPins();
    });
  }

  get run(): Run | undefined {
    return this.#run;
  }

  get isEngineOnIt(): boolean {
    return this.#isEngineOnIt;
  }

  /** No run begins any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  begin(run: Run): void {
    this.#stopRestart?.();
    this.#stopRestart = undefined;
    this.#run = run;
    this.#isEngineOnIt = false;
    this.launch();
  }

  /** Active, and left as it is: nothing is to be done for it now. */
  hold(run: Run): void {
    this.#run = run;
  }

  /** Active, and given to the engine after a while. */
  beginLater(run: Run, waitMs: number): void {
    this.#run = run;
    this.#stopRestart = this.#options.clock.after(waitMs, () => {
      this.#stopRestart = undefined;
      this.launch();
    });
  }

  /** None is active any more. */
  leave(): void {
    this.#run = undefined;
    this.#isEngineOnIt = false;
  }

  engineEnded(): void {
    this.#isEngineOnIt = false;
  }

  /** Starts the engine if it is not there, else gives it the run. */
  launch(): void {
    const run = this.#run;
    const { engine, dataDir, cacheDir } = this.#options;
    const isToWait = this.#isEngineOnIt || this.#isEnding || this.#stopRestart;
    if (!run || isToWait || isFinal(run.fold.state)) return;
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

  /** One that is not on the run finds what was asked of it in the run's journal. */
  tellEngine(message: Parameters<Engine['send']>[0]): void {
    if (this.#isEngineOnIt) this.#options.engine.send(message);
  }

  /** Somebody reads this checkpoint: keep it for a while. */
  pin(run: Run, checkpoint: string): void {
    if (run !== this.#run) return;
    if (this.#pins.touch(checkpoint, this.#options.clock.monotonic())) this.#sendPins();
  }

  /** Nothing begins any more, now or later. */
  end(): void {
    this.#isEnding = true;
    this.#stopPinTimer();
    this.#stopRestart?.();
  }

  #sendPins(): void {
    this.tellEngine({ type: 'pin', checkpoints: this.#pins.checkpoints });
  }
}
