import { cancelled } from './errors.ts';

/**
 * Waits for `promise`, whose work goes on whatever becomes of the wait.
 * @param what for the error, e.g. "The download".
 * @throws TeletrainError `cancelled` once the signal aborts; what `promise` rejects with.
 */
export async function unlessAborted<Result>(
  promise: Promise<Result>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (!signal) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(cancelled(what, signal));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
