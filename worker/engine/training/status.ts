import { isFinal, type RunState, type RunStatus } from '../../../shared/events.ts';
import type { Progress } from '../checkpoints/state.ts';
import type { GaugeReader } from './gauges.ts';
import type { Pace, RemainingWork } from './pace.ts';

const periodMs = 1_000;

/** What a status is made of beside phase and gauges. */
export interface StatusSource {
  readonly progress: Progress;
  readonly stepsPerEpoch: number;
  readonly pace: Pace;
  remainingWork(): RemainingWork;
}

/**
 * Tells how a run is doing about once a second, and at once when its state or phase changes. One
 * step that takes longer than a second delays it: the engine has one thread.
 */
export class StatusReporter {
  readonly #run: string;
  readonly #gauges: GaugeReader;
  readonly #send: (status: RunStatus) => void;
  readonly #timer: NodeJS.Timeout;
  #source: StatusSource | undefined;
  #state: RunState = 'starting';
  #phase = 'starting';
  #phaseProgress: number | undefined;

  constructor(run: string, gauges: GaugeReader, send: (status: RunStatus) => void) {
    this.#run = run;
    this.#gauges = gauges;
    this.#send = send;
    this.#timer = setInterval(() => this.#report(), periodMs);
  }

  follow(source: StatusSource): void {
    this.#source = source;
  }

  state(state: RunState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (isFinal(state)) {
      this.#phase = state;
      this.#phaseProgress = undefined;
    }
    this.#report();
  }

  /** @param progress Part done of it, 0..1, where that can be told. */
  phase(phase: string, progress?: number): void {
    const changed = phase !== this.#phase;
    this.#phase = phase;
    this.#phaseProgress = progress;
    if (changed) this.#report();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#gauges.close();
  }

  #report(): void {
    const source = this.#source;
    const remainingMs = isFinal(this.#state)
      ? undefined
      : source?.pace.remainingMs(source.remainingWork());
    this.#send({
      run: this.#run,
      state: this.#state,
      phase: this.#phase,
      step: source?.progress.step ?? 0,
      epoch: source?.progress.epoch ?? 0,
      epochs: source?.progress.epochs ?? 0,
      stepsPerEpoch: source?.stepsPerEpoch ?? 0,
      examplesPerSecond: source?.pace.examplesPerSecond() ?? 0,
      ...(this.#phaseProgress !== undefined && { phaseProgress: this.#phaseProgress }),
      ...(remainingMs !== undefined && { remainingMs }),
      gauges: this.#gauges.read(),
    });
  }
}
