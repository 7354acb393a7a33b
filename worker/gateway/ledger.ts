import { limits } from '../../shared/limits.ts';
import type { WireError } from '../../shared/messages.ts';

/** What a request that changes something was answered with; never bytes. */
export type Answer = { readonly result: unknown } | { readonly error: WireError };

export interface LedgerEntry {
  readonly client: string;
  readonly request: string;
  /** Digest of the method and what was asked, so that an id used for something else is noticed. */
  readonly asked: string;
  readonly answer: Answer;
}

export type LedgerVerdict =
  /** Do it, then `record` the answer. */
  | { readonly kind: 'new' }
  /** It is being done: who waits gets the same answer. */
  | { readonly kind: 'underway'; readonly answer: Promise<Answer> }
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** The id belongs to another request. */
  | { readonly kind: 'different' };

interface LedgerBounds {
  readonly clients: number;
  readonly answersPerClient: number;
}

/**
 * Requests that change something, by client and request id, so that one sent again is answered
 * again and not done again. Bounded twice: the newest answers of a client, and the clients that
 * used it last. `ledger-file.ts` keeps it over a restart.
 */
export class Ledger {
  /** Least recently used client first; its oldest answer first. */
  readonly #clients = new Map<string, Map<string, LedgerEntry>>();
  readonly #underway = new Map<
    string,
    { asked: string; answer: Promise<Answer>; settle: (answer: Answer) => void }
  >();
  readonly #bounds: LedgerBounds;

  constructor(
    bounds: LedgerBounds = {
      clients: limits.ledgerClients,
      answersPerClient: limits.ledgerEntries,
    },
  ) {
    this.#bounds = bounds;
  }

  get size(): number {
    let size = 0;
    for (const answers of this.#clients.values()) size += answers.size;
    return size;
  }

  begin(client: string, request: string, asked: string): LedgerVerdict {
    const known = this.#clients.get(client)?.get(request);
    if (known) {
      return known.asked === asked
        ? { kind: 'answered', answer: known.answer }
        : { kind: 'different' };
    }
    const key = keyOf(client, request);
    const underway = this.#underway.get(key);
    if (underway) {
      return underway.asked === asked
        ? { kind: 'underway', answer: underway.answer }
        : { kind: 'different' };
    }
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#underway.set(key, { asked, answer: promise, settle: resolve });
    return { kind: 'new' };
  }

  /** The answer of a request that was begun, or one read from disk. */
  record(entry: LedgerEntry): void {
    const answers = this.#clients.get(entry.client) ?? new Map<string, LedgerEntry>();
    this.#clients.delete(entry.client);
    this.#clients.set(entry.client, answers);
    answers.set(entry.request, entry);
    dropOldest(answers, this.#bounds.answersPerClient);
    dropOldest(this.#clients, this.#bounds.clients);
    const key = keyOf(entry.client, entry.request);
    this.#underway.get(key)?.settle(entry.answer);
    this.#underway.delete(key);
  }

  /** Answers that may not be kept (the disk refused them): given to who waits, and forgotten. */
  abandon(client: string, request: string, answer: Answer): void {
    const key = keyOf(client, request);
    this.#underway.get(key)?.settle(answer);
    this.#underway.delete(key);
  }

  /** Every kept answer, in an order that rebuilds the same ledger. */
  *entries(): Generator<LedgerEntry> {
    for (const answers of this.#clients.values()) yield* answers.values();
  }
}

const keyOf = (client: string, request: string) => JSON.stringify([client, request]);

function dropOldest(map: Map<string, unknown>, bound: number): void {
  for (const key of map.keys()) {
    if (map.size <= bound) return;
    map.delete(key);
  }
}
