/** Time, given to what waits, so that a test can make it pass. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls once after so many milliseconds; returns how to call it off. */
  after(milliseconds: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    // A timer takes at most 2^31-1 ms.
    const timer = setTimeout(call, Math.min(milliseconds, 0x7fffffff));
    return () => clearTimeout(timer);
  },
};
