import { type Clock, systemClock } from '../../../shared/clock.ts';
import { isFinal } from '../../../shared/events.ts';
import type { RunHandle, RunView, Series } from '../../session/types.ts';
import { type RevealedSample, SampleReveal } from './sample-reveal.ts';

/** Screens change at most this often while data comes in. */
const frameMs = 100;
/** Clocks (time left, until the next try) move once a second, and only while something is live. */
const clockMs = 1000;

/**
 * Stands between a run and the screen: whatever number of events arrives, the screen hears of it at
 * most ten times a second, and never when nothing changed. While frozen, it shows the run as it was.
 */
export class RunFeed {
  readonly handle: RunHandle;
  readonly #onChange: () => void;
  readonly #clock: Clock;
  readonly #unsubscribe: () => void;
  readonly #reveal: SampleReveal;
  #timer: NodeJS.Timeout | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #lastFrame = 0;
  #frozen: { view: RunView; now: number; version: number } | undefined;

  constructor(handle: RunHandle, onChange: () => void, clock: Clock = systemClock) {
    this.handle = handle;
    this.#onChange = onChange;
    this.#clock = clock;
    this.#reveal = new SampleReveal(handle.view);
    this.#unsubscribe = handle.subscribe(() => {
      this.#reveal.look(handle.view, this.#clock.monotonic());
      this.#changed();
    });
    this.#keepTicking();
  }

  /** The run as it is to be shown. */
  get view(): RunView {
    return this.#frozen?.view ?? this.handle.view;
  }

  /** Of the monotonic clock, or when it was frozen. */
  get now(): number {
    return this.#frozen?.now ?? this.#clock.monotonic();
  }

  /** The newest sample while it is written row by row. */
  get revealed(): RevealedSample | undefined {
    return this.#reveal.at(this.now);
  }

  /** How many changes a frozen display does not show; undefined while it is not frozen. */
  get frozenChanges(): number | undefined {
    return this.#frozen && this.handle.view.version - this.#frozen.version;
  }

  toggleFrozen(): void {
    this.#frozen = this.#frozen
      ? undefined
      : {
          view: copyOf(this.handle.view),
          now: this.#clock.monotonic(),
          version: this.handle.view.version,
        };
    this.#keepTicking();
    this.#onChange();
  }

  close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  #changed(): void {
    if (this.#timer) return;
    // The first change after a pause is shown at once; those that follow wait for the next frame.
    const wait = Math.min(
      frameMs,
      Math.max(0, this.#lastFrame + frameMs - this.#clock.monotonic()),
    );
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastFrame = this.#clock.monotonic();
      this.#keepTicking();
      this.#onChange();
      if (!this.#frozen && this.#reveal.at(this.#clock.monotonic())) this.#changed();
    }, wait);
  }

  #keepTicking(): void {
    const { state, connection } = this.handle.view;
    const ticks =
      !this.#frozen &&
      (connection.kind === 'waiting' ||
        (connection.kind === 'connected' &&
          (connection.unansweredSince !== undefined || (!isFinal(state) && state !== 'paused'))));
    if (ticks && !this.#ticking) {
      this.#ticking = setInterval(() => this.#changed(), clockMs);
      this.#ticking.unref();
    } else if (!ticks && this.#ticking) {
      clearInterval(this.#ticking);
      this.#ticking = undefined;
    }
  }
}

/** A view that no later event changes. Series are changed in place, so their arrays are copied. */
function copyOf(view: RunView): RunView {
  const series = new Map<string, Series>();
  for (const [key, { name, split, per, length, steps, epochs, times, values }] of view.series) {
    series.set(key, {
      name,
      split,
      per,
      length,
      steps: steps.slice(0, length),
      epochs: epochs.slice(0, length),
      times: times.slice(0, length),
      values: values.slice(0, length),
    });
  }
  // Spelled out because a view may keep its facts behind getters, which a spread would not copy.
  return {
    version: view.version,
    record: view.record,
    directory: view.directory,
    state: view.state,
    ...(view.stateReason === undefined ? {} : { stateReason: view.stateReason }),
    ...(view.stateMessage === undefined ? {} : { stateMessage: view.stateMessage }),
    ...(view.pending === undefined ? {} : { pending: view.pending }),
    epochs: view.epochs,
    patience: view.patience,
    step: view.step,
    epoch: view.epoch,
    stepsPerEpoch: view.stepsPerEpoch,
    parameters: view.parameters,
    ...(view.engine === undefined ? {} : { engine: view.engine }),
    differs: view.differs,
    series,
    epochsDone: [...view.epochsDone],
    samples: [...view.samples],
    ...(view.drawing === undefined ? {} : { drawing: view.drawing }),
    checkpoints: [...view.checkpoints],
    log: [...view.log],
    lastSeq: view.lastSeq,
    ...(view.status === undefined ? {} : { status: view.status }),
    connection: view.connection,
    ...(view.access === undefined ? {} : { access: view.access }),
    ...(view.worker === undefined ? {} : { worker: view.worker }),
  };
}
