/** Thrown out of whatever a run is doing when it must end now; the run leaves a checkpoint. */
export class StopRequested extends Error {
  override readonly name = 'StopRequested';
  readonly reason: 'stop-now' | 'shutdown';

  constructor(reason: StopRequested['reason']) {
    super(`The run is to end: ${reason}.`);
    this.reason = reason;
  }
}

/** What a run does when its controls are used. */
export interface ControlListener {
  paused(): void;
  continued(): void;
  stopAfterEpoch(): void;
  changed(change: { epochs?: number; patience?: number }): void;
}

/**
 * What others ask of a run that is going on. The run passes `gate` between any two pieces of work;
 * commands arrive there, because the gate lets the event loop turn once.
 */
export class RunControls {
  #listener: ControlListener | undefined;
  #stop: StopRequested | undefined;
  #stopAfterEpoch = false;
  #paused = false;
  #wake: () => void = () => {};
  #pinned: ReadonlySet<string> = new Set();
  #changes: { epochs?: number; patience?: number }[] = [];
  #pausedMs = 0;
  readonly #abort = new AbortController();

  /** Aborted when the run must end now, for work that takes a signal. Its reason is a `StopRequested`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get stopsAfterEpoch(): boolean {
    return this.#stopAfterEpoch;
  }

  /** Checkpoints that somebody is fetching. */
  get pinned(): ReadonlySet<string> {
    return this.#pinned;
  }

  /** A clock in ms that stands still while the run is paused. */
  activeMs(): number {
    return performance.now() - this.#pausedMs;
  }

  /** Commands that came before are told at once. */
  listen(listener: ControlListener): void {
    this.#listener = listener;
    if (this.#stopAfterEpoch) listener.stopAfterEpoch();
    for (const change of this.#changes.splice(0)) listener.changed(change);
  }

  pause(): void {
    this.#paused = true;
  }

  continue(): void {
    this.#paused = false;
    this.#wake();
  }

  stop(when: 'now' | 'epoch'): void {
    if (when === 'now') this.#endNow(new StopRequested('stop-now'));
    else if (!this.#stopAfterEpoch) {
      this.#stopAfterEpoch = true;
      this.#listener?.stopAfterEpoch();
    }
    this.continue();
  }

  shutdown(): void {
    this.#endNow(new StopRequested('shutdown'));
    this.continue();
  }

  change(change: { epochs?: number; patience?: number }): void {
    if (this.#listener) this.#listener.changed(change);
    else this.#changes.push(change);
  }

  pin(checkpoints: readonly string[]): void {
    this.#pinned = new Set(checkpoints);
  }

  /**
   * Lets waiting commands in, then waits while the run is paused.
   * @throws StopRequested when the run must end now.
   */
  async gate(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#paused && !this.#stop) {
      const since = performance.now();
      this.#listener?.paused();
      while (this.#paused && !this.#stop) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#wake = () => {};
      this.#pausedMs += performance.now() - since;
      if (!this.#stop) this.#listener?.continued();
    }
    if (this.#stop) throw this.#stop;
  }

  #endNow(stop: StopRequested): void {
    this.#stop ??= stop;
    this.#abort.abort(this.#stop);
  }
}
