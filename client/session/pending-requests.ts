import { limits } from '../../shared/limits.ts';
import type { MethodName } from '../../shared/messages.ts';

export interface PendingRequest {
  readonly id: string;
  readonly method: MethodName;
  readonly params: unknown;
  readonly payload?: Uint8Array | undefined;
  readonly madeAt: number;
  /** How long it may be without a connection. */
  readonly patienceMs: number;
  /** Of the connection's own run.follow requests: the run. */
  readonly followed?: string | undefined;
}

interface Entry {
  readonly request: PendingRequest;
  /** On the connection that is open now. */
  sent: boolean;
}

/**
 * The requests that no answer came to yet, in the order in which they were made. They outlive the
 * socket: each is sent once on every connection until it is answered, with the same id, by which
 * the worker knows it.
 */
export class PendingRequests {
  readonly #prefix: string;
  readonly #entries = new Map<string, Entry>();
  #made = 0;
  #inFlight = 0;

  /** @param prefix begins every id, so that two programs of one installation never share one. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  add(request: Omit<PendingRequest, 'id'>): PendingRequest {
    this.#made += 1;
    const made = { ...request, id: `${this.#prefix}-${this.#made.toString(36)}` };
    this.#entries.set(made.id, { request: made, sent: false });
    return made;
  }

  get(id: string): PendingRequest | undefined {
    return this.#entries.get(id)?.request;
  }

  isSent(id: string): boolean {
    return this.#entries.get(id)?.sent ?? false;
  }

  remove(id: string): void {
    if (this.isSent(id)) this.#inFlight -= 1;
    this.#entries.delete(id);
  }

  all(): PendingRequest[] {
    return Array.from(this.#entries.values(), ({ request }) => request);
  }

  /** The oldest that were not sent on this connection, as many as may be in flight; they count as sent from here on. */
  takeUnsent(): PendingRequest[] {
    const taken: PendingRequest[] = [];
    if (this.#inFlight === this.#entries.size) return taken;
    for (const entry of this.#entries.values()) {
      if (this.#inFlight >= limits.requestsInFlight) break;
      if (entry.sent) continue;
      entry.sent = true;
      this.#inFlight += 1;
      taken.push(entry.request);
    }
    return taken;
  }

  /** The connection broke: all are unsent again, but for those that every connection makes anew. */
  disconnected(): void {
    for (const [id, entry] of this.#entries) {
      if (entry.request.followed !== undefined) this.#entries.delete(id);
      else entry.sent = false;
    }
    this.#inFlight = 0;
  }
}
