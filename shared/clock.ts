/** Time, given to what waits, so that a test can make it pass. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
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

export const systemClock: Clock = {
  now: () => Date.now(),
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
