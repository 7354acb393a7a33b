interface Happening {
  readonly at: number;
  readonly order: number;
  call: (() => void) | undefined;
}

/** What must not be: it ends the simulation of a seed. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/**
 * Time and the order of things. One thing happens after the other, and each only when all that the
 * one before it led to without waiting has been done: promises' reactions are run by Node before
 * the next tick callback is called, so one tick is enough to know that nothing more comes of it.
 */
export class World {
  /** Milliseconds since the beginning. */
  now = 0;
  steps = 0;
  /** What happened, in words; kept only where somebody reads it. */
  readonly trace: string[] | undefined;
  /** Looked at after every step. */
  readonly invariants: (() => void)[] = [];
  readonly #heap: Happening[] = [];
  #order = 0;
  #violation: Violation | undefined;

  constructor({ traced = false }: { traced?: boolean } = {}) {
    this.trace = traced ? [] : undefined;
  }

  /** Calls after so many milliseconds; returns how to call it off. */
  after(milliseconds: number, call: () => void): () => void {
    this.#order += 1;
    const happening: Happening = { at: this.now + milliseconds, order: this.#order, call };
    this.#push(happening);
    return () => {
      happening.call = undefined;
    };
  }

  /** @param tell words for the trace, made only where somebody reads them. */
  say(who: string, tell: () => string): void {
    this.trace?.push(`${(this.now / 1000).toFixed(3).padStart(10)} s  ${who}: ${tell()}`);
  }

  /** Something that must not be has been seen. */
  violate(what: string): void {
    this.#violation ??= new Violation(what);
  }

  /** Runs something of a program under test, from which nothing may escape. */
  run(who: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.violate(`an exception escaped from ${who}: ${describe(error)}`);
    }
  }

  /**
   * Lets things happen until a time, or until a condition holds.
   * @returns whether the condition came to hold. @throws Violation.
   */
  async until(time: number, condition?: () => boolean): Promise<boolean> {
    await quiet();
    for (;;) {
      if (this.#violation) throw this.#violation;
      if (condition?.()) return true;
      const next = this.#heap[0];
      if (!next || next.at > time) {
        this.now = Math.max(this.now, time);
        return false;
      }
      this.#pop();
      const { call } = next;
      if (!call) continue;
      this.now = Math.max(this.now, next.at);
      this.steps += 1;
      call();
      await quiet();
      for (const look of this.invariants) look();
    }
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (!parent || isBefore(parent, happening)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      if (!child) break;
      const other = heap[below + 1];
      if (other && isBefore(other, child)) {
        below += 1;
        child = other;
      }
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Happening, b: Happening): boolean =>
  a.at === b.at ? a.order < b.order : a.at < b.at;

const quiet = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
