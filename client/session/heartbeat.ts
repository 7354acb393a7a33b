import type { ConnectionTimes } from './connection-times.ts';

/** Whether the worker at the other end of a connection is heard. */
export class Heartbeat {
  readonly #times: ConnectionTimes;
  #lastHeard = 0;
  #lastPing = 0;
  /** When the first ping was sent that has no answer yet. */
  #unansweredSince: number | undefined;
  /** That answer is late. */
  #isOverdue = false;
  /** Nobody reads the socket, so nothing can be heard. */
  #isHeld = false;
  #roundTripMs: number | undefined;

  constructor(times: ConnectionTimes) {
    this.#times = times;
  }

  /** For a connection's state: the last round trip says nothing of a line on which two pings went unanswered. */
  get shown(): { unansweredSince: number | undefined } | { roundTripMs: number | undefined } {
    return this.#isOverdue
      ? { unansweredSince: this.#unansweredSince }
      : { roundTripMs: this.#roundTripMs };
  }

  /** When a ping is due, or there was silence for too long. */
  get nextAt(): number {
    const pingAt = this.#lastPing + this.#times.pingMs;
    return this.#isHeld ? pingAt : Math.min(pingAt, this.#lastHeard + this.#times.silenceMs);
  }

  /** A connection begins: what was known of an earlier one no longer holds. */
  begin(): void {
    this.#roundTripMs = undefined;
    this.#unansweredSince = undefined;
    this.#isOverdue = false;
  }

  heard(now: number): void {
    this.#lastHeard = now;
  }

  hold(): void {
    this.#isHeld = true;
  }

  /** @param now where the same connection is read again, after nothing could be heard on it. */
  release(now?: number): void {
    this.#isHeld = false;
    if (now === undefined) return;
    this.#lastHeard = now;
    if (this.#unansweredSince !== undefined) this.#unansweredSince = now;
  }

  isDead(now: number): boolean {
    return !this.#isHeld && now >= this.#lastHeard + this.#times.silenceMs;
  }

  silentMs(now: number): number {
    return now - this.#lastHeard;
  }

  isPingDue(now: number): boolean {
    return now >= this.#lastPing + this.#times.pingMs;
  }

  pinged(now: number): void {
    this.#lastPing = now;
    this.#unansweredSince ??= now;
  }

  answered(now: number, sentAt: number): void {
    this.#roundTripMs = Math.max(0, now - sentAt);
    this.#unansweredSince = sentAt < this.#lastPing ? this.#lastPing : undefined;
    this.#isOverdue = false;
  }

  /** @returns whether an answer became late just now. */
  becomesOverdue(now: number): boolean {
    if (this.#isHeld || this.#isOverdue) return false;
    this.#isOverdue = now >= (this.#unansweredSince ?? now) + 2 * this.#times.pingMs;
    return this.#isOverdue;
  }
}
