import type { TeletrainError } from '../../shared/errors.ts';
import type { RunEvent } from '../../shared/events.ts';
import { type MethodName, methods, type ResultOf } from '../../shared/messages.ts';
import type { ConnectionEffect } from './connection-effects.ts';
import { FollowedRun } from './followed-run.ts';
import { malformed } from './incoming.ts';
import { type PendingRequest, PendingRequests } from './pending-requests.ts';

export interface ConversationOptions {
  /** Begins every request id, so that two programs of one installation never share one. */
  readonly requestPrefix: string;
  /** Between two questions for a run whose worker's journal takes no more. */
  readonly askAnewMs: number;
  readonly emit: (effect: ConnectionEffect) => void;
}

/**
 * What a client asked of a worker and still wants, over any number of connections: requests that
 * have no answer, and runs that it follows.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #pending: PendingRequests;
  readonly #follows = new Map<string, FollowedRun>();
  #isConnected = false;
  #disconnectedSince = 0;
  /** When the followed runs are asked for anew, since the worker could not read or write one. */
  #followAnewAt: number | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#pending = new PendingRequests(options.requestPrefix);
  }

  /** When `tick` or `rejectLost` has something to do; infinite where they never have. */
  get nextAt(): number {
    if (this.#isConnected) return this.#followAnewAt ?? Number.POSITIVE_INFINITY;
    return Math.min(...this.#pending.all().map((request) => this.#lostAt(request)));
  }

  // What becomes of the connection

  /** Unanswered requests go first: they were made before the events that follow now. */
  connected(now: number): void {
    this.#isConnected = true;
    this.#sendWaiting();
    for (const [run, follow] of this.#follows) this.#askForEvents(now, run, follow);
  }

  disconnected(now: number): void {
    if (this.#isConnected) this.#disconnectedSince = now;
    this.#isConnected = false;
    this.#followAnewAt = undefined;
    this.#pending.disconnected();
    for (const follow of this.#follows.values()) follow.disconnected();
  }

  /** The patience of requests is counted from `now` on at the earliest. */
  waitsSince(now: number): void {
    this.#disconnectedSince = now;
  }

  /** No further attempt is made for now. */
  refused(error: TeletrainError): void {
    this.#isConnected = false;
    for (const { id } of this.#pending.all()) this.reject(id, error);
  }

  /** For good. */
  end(error: TeletrainError): void {
    this.refused(error);
    this.#follows.clear();
  }

  tick(now: number): void {
    if (this.#followAnewAt === undefined || now < this.#followAnewAt) return;
    this.#followAnewAt = undefined;
    for (const [run, follow] of this.#follows) this.#askForEvents(now, run, follow);
  }

  /** Gives up on requests that waited for a connection as long as they may. */
  rejectLost(now: number, error: () => TeletrainError): void {
    for (const request of this.#pending.all()) {
      if (now >= this.#lostAt(request)) this.reject(request.id, error());
    }
  }

  // What this client asks for

  /** @returns the request's id. */
  request(
    now: number,
    method: MethodName,
    params: unknown,
    options: { payload?: Uint8Array; patienceMs?: number },
  ): string {
    const { id } = this.#make(now, method, params, options);
    this.#sendWaiting();
    return id;
  }

  cancel(id: string): void {
    if (!this.#pending.get(id)) return;
    if (this.#pending.isSent(id))
      this.#options.emit({ type: 'send', kind: 'cancel', header: { id } });
    this.#pending.remove(id);
    this.#sendWaiting();
  }

  reject(id: string, error: TeletrainError): void {
    this.#pending.remove(id);
    this.#options.emit({ type: 'rejected', id, error });
  }

  follow(now: number, run: string, fromSeq: number): void {
    const follow = new FollowedRun(fromSeq);
    this.#follows.set(run, follow);
    if (this.#isConnected) this.#askForEvents(now, run, follow);
  }

  unfollow(now: number, run: string): void {
    if (!this.#follows.delete(run)) return;
    for (const request of this.#pending.all()) {
      if (request.followed === run) this.#pending.remove(request.id);
    }
    if (this.#isConnected) this.request(now, 'run.unfollow', { run }, {});
  }

  follows(run: string): boolean {
    return this.#follows.has(run);
  }

  // What the worker says

  /** @returns why the connection is of no more use, where it is not. */
  event(now: number, event: RunEvent): string | undefined {
    const follow = this.#follows.get(event.run);
    if (!follow) return undefined;
    const verdict = follow.take(event.seq);
    if (verdict === 'deliver') this.#options.emit({ type: 'event', event });
    if (verdict === 'ask') this.#askForEvents(now, event.run, follow);
    return verdict === 'broken'
      ? `event ${follow.next} of ${event.run} was asked for and did not come`
      : undefined;
  }

  answered(id: string, result: unknown, payload: Uint8Array): void {
    const request = this.#pending.get(id);
    if (!request) return;
    const parsed = methods[request.method].result.safeParse(result);
    if (!parsed.success) {
      const what = `an answer to ${request.method}`;
      this.failed(id, malformed(what, parsed.error.issues[0]?.message));
      return;
    }
    this.#pending.remove(id);
    if (request.followed !== undefined) {
      const follow = this.#follows.get(request.followed);
      if (follow) {
        // run.follow was parsed by its own schema just above.
        const { summary } = parsed.data as ResultOf<'run.follow'>;
        follow.answered(id, summary.firstSeq);
        this.#options.emit({ type: 'followed', run: request.followed, summary });
      }
    } else {
      this.#options.emit({ type: 'answer', id, result: parsed.data, payload });
    }
    this.#sendWaiting();
  }

  failed(id: string, error: TeletrainError): void {
    const request = this.#pending.get(id);
    if (!request) return;
    if (request.followed === undefined) this.reject(id, error);
    else {
      this.#pending.remove(id);
      this.#follows.delete(request.followed);
      this.#options.emit({ type: 'follow-failed', run: request.followed, error });
    }
    this.#sendWaiting();
  }

  /**
   * A run's journal took no more: no event can tell its end, so those that are followed are asked for
   * anew, and their summaries tell.
   */
  askAnew(now: number): void {
    for (const [run, follow] of this.#follows) {
      if (follow.mayAskAnew()) this.#askForEvents(now, run, follow);
      // Answered alike a moment ago: perhaps the worker's disk is better soon.
      else this.#followAnewAt ??= now + this.#options.askAnewMs;
    }
  }

  /** Each answer tells the run's state too, which no event can where its journal takes none. */
  #askForEvents(now: number, run: string, follow: FollowedRun): void {
    const params = { run, fromSeq: follow.next, drawings: true };
    follow.asked(this.#make(now, 'run.follow', params, { followed: run }).id);
    this.#sendWaiting();
  }

  #lostAt(request: PendingRequest): number {
    return Math.max(request.madeAt, this.#disconnectedSince) + request.patienceMs;
  }

  #make(
    now: number,
    method: MethodName,
    params: unknown,
    options: { payload?: Uint8Array; patienceMs?: number; followed?: string },
  ): PendingRequest {
    const { payload, followed, patienceMs = Number.POSITIVE_INFINITY } = options;
    return this.#pending.add({ method, params, payload, followed, patienceMs, madeAt: now });
  }

  #sendWaiting(): void {
    if (!this.#isConnected) return;
    for (const { id, method, params, payload } of this.#pending.takeUnsent()) {
      const header = { id, method, params };
      this.#options.emit({ type: 'send', kind: 'request', header, payload });
    }
  }
}
