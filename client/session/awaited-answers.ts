import { cancelled } from './errors.ts';

export interface Answer<Result> {
  readonly result: Result;
  readonly payload: Uint8Array;
}

interface Waiter {
  resolve(answer: Answer<unknown>): void;
  reject(error: unknown): void;
  /** Its signal no longer matters. */
  readonly stopListening: (() => void) | undefined;
}

/** Those in this program who wait for a worker's answer, by their request's id. */
export class AwaitedAnswers {
  readonly #waiters = new Map<string, Waiter>();

  /**
   * Resolves with what `answered` is told of this request.
   * @param giveUp called when the signal aborts first.
   * @throws what `failed` is told of it; `cancelled`.
   */
  of(id: string, signal: AbortSignal | undefined, giveUp: () => void): Promise<Answer<unknown>> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(id);
        giveUp();
        reject(cancelled('The request', signal));
      };
      signal?.addEventListener('abort', abort, { once: true });
      const stopListening = signal && (() => signal.removeEventListener('abort', abort));
      this.#waiters.set(id, { resolve, reject, stopListening });
    });
  }

  answered(id: string, answer: Answer<unknown>): void {
    this.#settle(id)?.resolve(answer);
  }

  failed(id: string, error: unknown): void {
    this.#settle(id)?.reject(error);
  }

  #settle(id: string): Waiter | undefined {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    waiter?.stopListening?.();
    return waiter;
  }
}
