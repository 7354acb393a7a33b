import type { Clock } from './clock.ts';

/**
 * Calls at a time that mostly moves to a later one, as with every message of a connection its next
 * ping does. Its timer is left as it is then, and set anew when it goes off too early: so a message
 * costs no timer.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #call: () => void;
  readonly #isBackground: boolean;
  /** When to call, and when the timer goes off: not later. Infinite where there is none. */
  #at = Number.POSITIVE_INFINITY;
  #timerAt = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;

  /** @param options.background a program that only waits for this ends. */
  constructor(clock: Clock, call: () => void, { background = false } = {}) {
    this.#clock = clock;
    this.#call = call;
    this.#isBackground = background;
  }

  /** In place of the time before. @param at by the clock's `monotonic`; infinite: not at all. */
  set(at: number): void {
    this.#at = at;
    if (at === Number.POSITIVE_INFINITY) this.#stop();
    else if (at < this.#timerAt) this.#start();
  }

  #start(): void {
    this.#stop();
    this.#timerAt = this.#at;
    const delay = Math.max(0, this.#at - this.#clock.monotonic());
    const background = this.#isBackground;
    this.#stopTimer = this.#clock.after(delay, () => this.#wentOff(), { background });
  }

  #wentOff(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#clock.monotonic() < this.#at) this.#start();
    else {
      this.#at = Number.POSITIVE_INFINITY;
      this.#call();
    }
  }

  #stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }
}
