/** What to do about an event that came: hand it on, leave it, ask for those before it, or give up on this connection. */
export type EventVerdict = 'deliver' | 'leave' | 'ask' | 'broken';

/**
 * The numbering of one followed run's events: each number is delivered once and in order, over any
 * number of connections.
 */
export class FollowedRun {
  #next: number;
  /** The run.follow that was not answered yet. */
  #asking: string | undefined;
  /** The gap before this number was asked for on this connection. */
  #gapAsked: number | undefined;
  /** What comes next when the run was last asked for anew on this connection. */
  #askedAnewAt: number | undefined;

  constructor(fromSeq: number) {
    this.#next = fromSeq;
  }

  /** The number of the event that is delivered next. */
  get next(): number {
    return this.#next;
  }

  take(seq: number): EventVerdict {
    if (seq < this.#next) return 'leave';
    if (seq === this.#next) {
      this.#next += 1;
      return 'deliver';
    }
    // Until a run.follow is answered, what comes may belong to an older one.
    if (this.#asking !== undefined) return 'leave';
    if (this.#gapAsked === this.#next) return 'broken';
    this.#gapAsked = this.#next;
    return 'ask';
  }

  asked(requestId: string): void {
    this.#asking = requestId;
  }

  /** @param firstSeq the first event that this worker has; those before it are nowhere to be had. */
  answered(requestId: string, firstSeq: number): void {
    if (this.#asking === requestId) this.#asking = undefined;
    if (firstSeq > this.#next) this.#next = firstSeq;
  }

  /** Once on a connection for the event that comes next: a second time would be answered alike. */
  mayAskAnew(): boolean {
    if (this.#asking !== undefined || this.#askedAnewAt === this.#next) return false;
    this.#askedAnewAt = this.#next;
    return true;
  }

  disconnected(): void {
    this.#asking = undefined;
    this.#gapAsked = undefined;
    this.#askedAnewAt = undefined;
  }
}
