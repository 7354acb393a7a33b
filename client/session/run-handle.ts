import type { RunEvent } from '../../shared/events.ts';
import type { RunLimits } from './run-done.ts';
import type { RunSession } from './run-session.ts';
import type { RunHandle, RunView } from './types.ts';

/** What needs more than the run's session. */
export interface HandleActions {
  /** Goes on with the run, for which its worker may have to be started. */
  readonly resume: () => Promise<void>;
  /** Changes limits, for which the local worker of a run that ended may have to be started. */
  readonly change: (changes: RunLimits) => Promise<void>;
  /** Called once, when this handle lets go. */
  readonly release: () => Promise<void>;
}

/** What one user of a run holds; several may hold the same run. */
export class SessionHandle implements RunHandle {
  readonly #session: RunSession;
  readonly #actions: HandleActions;
  readonly #subscriptions = new Set<() => void>();
  #closed: Promise<void> | undefined;

  constructor(session: RunSession, actions: HandleActions) {
    this.#session = session;
    this.#actions = actions;
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
    return this.#actions.resume();
  }

  stop(when: 'now' | 'epoch'): Promise<void> {
    return this.#session.command('run.stop', { run: this.id, when }, 'stopping');
  }

  change(changes: RunLimits): Promise<void> {
    return this.#actions.change(changes);
  }

  takeControl(from: string): Promise<void> {
    return this.#session.command('control.take', { from });
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
    this.#closed ??= this.#actions.release();
    return this.#closed;
  }
}
