/** Time, given to what waits, so that a test can make it pass. */
export interface Clock {
  /** Milliseconds since 1970, as the machine's clock has it: somebody may set it. */
  now(): number;
  /** The same for measuring how long something lasts: it never goes back, and counts sleep. */
  monotonic(): number;
  /**
   * Calls once after so many milliseconds; returns how to call it off. A program that only waits for
   * what is in the background ends.
   */
  after(milliseconds: number, call: () => void, options?: { background?: boolean }): () => void;
  /** Calls once when what came at this time was taken in, in the next turn of the event loop. */
  soon(call: () => void): void;
}

/** A timer takes at most 2^31-1 ms. */
const longestTimerMs = 0x7fffffff;

/** A jump of the clock beside the timers that is no jitter. */
const jumpMs = 1_000;
/** The clock is asked no more often than this: every message asks for the time, and nobody sleeps for less. */
const lookEveryMs = 10;

/**
 * Time that goes on as timers do, whatever is done to the clock, but for one thing: timers may not
 * count while the machine sleeps, and then the clock jumps ahead.
 * @param wall the machine's clock, and `timers` what its timers go by, both in ms.
 */
export function monotonicTime(wall: () => number, timers: () => number): () => number {
  let lastWall = wall();
  let lastTimers = timers();
  let offset = lastWall - lastTimers;
  return () => {
    const nowTimers = timers();
    if (nowTimers < lastTimers + lookEveryMs) return nowTimers + offset;
    const nowWall = wall();
    const jump = nowWall - lastWall - (nowTimers - lastTimers);
    if (jump > jumpMs) offset += jump;
    lastWall = nowWall;
    lastTimers = nowTimers;
    return nowTimers + offset;
  };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: monotonicTime(
    () => Date.now(),
    () => performance.now(),
  ),
  after: (milliseconds, call, { background = false } = {}) => {
    const timer = setTimeout(call, Math.min(milliseconds, longestTimerMs));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
  soon: (call) => {
    setImmediate(call);
  },
};

/** Resolves after so many milliseconds. @throws the signal's reason, when it aborts first. */
export async function sleep(
  clock: Clock,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = clock.after(milliseconds, resolve);
  const abort = (): void => {
    stop();
    reject(signal?.reason);
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Calls again and again, in the background, until it is called off. */
export function every(clock: Clock, milliseconds: number, call: () => void): () => void {
  let stop = (): void => {};
  const next = (): void => {
    stop = clock.after(
      milliseconds,
      () => {
        next();
        call();
      },
      { background: true },
    );
  };
  next();
  return () => stop();
}
