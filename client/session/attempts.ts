import { closeCodes } from '../../shared/limits.ts';
import type { ConnectionTimes } from './connection-times.ts';

/** A worker that was asked too often takes no attempts for so long. */
const afterTooManyMs = 60_000;

/**
 * How often a client tried to connect since a connection last settled, and how long it waits before it
 * tries again. Half of that is random, so that many clients do not come back at one moment.
 */
export class Attempts {
  readonly #times: ConnectionTimes;
  readonly #random: () => number;
  #count = 0;

  constructor(times: ConnectionTimes, random: () => number) {
    this.#times = times;
    this.#random = random;
  }

  get count(): number {
    return this.#count;
  }

  begin(): void {
    this.#count += 1;
  }

  /**
   * @param lastedMs how long there was a connection; undefined where there was none.
   * @param code by which the worker closed it.
   * @returns milliseconds until the next attempt.
   */
  delayAfter(lastedMs: number | undefined, code: number | undefined): number {
    const { settledMs, firstDelayMs, longestDelayMs } = this.#times;
    if (lastedMs !== undefined && lastedMs >= settledMs) this.#count = 0;
    const doubled = firstDelayMs * 2 ** Math.min(this.#count, 20);
    const delay = Math.min(longestDelayMs, doubled) * (0.5 + this.#random() / 2);
    return code === closeCodes.tooManyAttempts ? Math.max(delay, afterTooManyMs) : delay;
  }
}
