import type { RunEvent } from '../../shared/events.ts';
import type { RunSession } from './run-session.ts';
import type { RunHandle, RunView } from './types.ts';

/** What one user of a run holds; several may hold the same run. */
export class SessionHandle implements RunHandle {
  readonly #session: RunSession;
  readonly #resume: () => Promise<void>;
  readonly #release: () => Promise<void>;
  readonly #subscriptions = new Set<() => void>();
  #closed: Promise<void> | undefined;

  /**
   * @param resume goes on with the run, for which its worker may have to be started.
   * @param release called once, when this handle lets go.
   */
  constructor(session: RunSession, resume: () => Promise<void>, release: () => Promise<void>) {
    this.#session = session;
    this.#resume = resume;
    this.#release = release;
  }

  get id(): string {
    return this.#session.id;
  }

  get view(): RunView {
    return this.#session.view;
  }

  subscribe(listener: () => void): () => void {
    const unsubscribe = this.#session.subscribe(listener);
    this.#subscriptions.add(unsubscribe);
    return () => {
      this.#subscriptions.delete(unsubscribe);
      unsubscribe();
    };
  }

  pause(): Promise<void> {
    return this.#session.command('run.pause', { run: this.id }, 'pausing');
  }

  resume(): Promise<void> {
    return this.#resume();
  }

  stop(when: 'now' | 'epoch'): Promise<void> {
    return this.#session.command('run.stop', { run: this.id, when }, 'stopping');
  }

  change(changes: { epochs?: number; patience?: number }): Promise<void> {
    return this.#session.command('run.change', { run: this.id, ...changes });
  }

  download(checkpoint: string, signal?: AbortSignal): Promise<string> {
    return this.#session.download(checkpoint, signal);
  }

  finished(options?: { signal?: AbortSignal; lostAfterMs?: number }): Promise<RunView> {
    return this.#session.finished(options);
  }

  events(options?: { fromSeq?: number; signal?: AbortSignal }): AsyncIterable<RunEvent> {
    return this.#session.events(options);
  }

  close(): Promise<void> {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#closed ??= this.#release();
    return this.#closed;
  }
}
