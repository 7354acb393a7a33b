import { TeletrainError } from '../../shared/errors.ts';
import type { RunEvent } from '../../shared/events.ts';
import { decodeFrame, type Frame } from '../../shared/frames.ts';
import { closeCodes, protocolVersions } from '../../shared/limits.ts';
import {
  byeSchema,
  controlFrameSchema,
  drawingFrameSchema,
  errorSchema,
  eventFrameSchema,
  type FrameKind,
  type Hello,
  type MethodName,
  methods,
  type ParamsOf,
  pingSchema,
  type ResultOf,
  responseSchema,
  resultsHeaderSchema,
  statusFrameSchema,
  type Welcome,
  welcomeSchema,
} from '../../shared/messages.ts';
import type { VersionRange } from '../../shared/versions.ts';
import type { ConnectionEffect } from './connection-effects.ts';
import { type ConnectionTimes, defaultTimes, retryDelay } from './connection-times.ts';
import { connectionClosed, fromWire, workerLost } from './errors.ts';
import { FollowedRun } from './followed-run.ts';
import { checkedHeader, isRefusal, malformed, refusalFor, sentenceFor } from './incoming.ts';
import { type PendingRequest, PendingRequests } from './pending-requests.ts';
import type { ConnectionState } from './types.ts';

/**
 * The client's half of the protocol as a state machine without a socket or a clock: something
 * happened and the time go in, what to do comes out. `worker-link.ts` drives it.
 *
 * What it promises: a request that was not answered when the socket broke is sent again with the
 * same id; a followed run's events come out once each, in order and without a gap, whatever the
 * socket does.
 */

export interface ConnectionSettings {
  readonly client: Hello['client'];
  /** Begins every request id, so that two programs of one installation never share one. */
  readonly requestPrefix: string;
  readonly random?: () => number;
  readonly times?: Partial<ConnectionTimes>;
  /** The worker's epoch when this client last saw it. */
  readonly lastEpoch?: string;
  /** What this client speaks. Default: `protocolVersions`. */
  readonly versions?: VersionRange;
}

/** What this client takes beyond what every version 1 does. */
const capabilities = ['control'];

type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'greeting'; readonly attempt: number; readonly since: number }
  | { readonly kind: 'connected'; readonly since: number }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  | { readonly kind: 'refused'; readonly error: TeletrainError }
  | { readonly kind: 'stopped' };

export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #times: ConnectionTimes;
  readonly #versions: VersionRange;
  readonly #random: () => number;
  readonly #pending: PendingRequests;
  readonly #follows = new Map<string, FollowedRun>();
  #effects: ConnectionEffect[] = [];
  #phase: Phase = { kind: 'idle' };
  /** Attempts since a connection last settled. */
  #attempts = 0;
  #disconnectedSince = 0;
  #lastHeard = 0;
  #lastPing = 0;
  /** When the first ping was sent that has no answer yet. */
  #unansweredSince: number | undefined;
  /** That answer is late. */
  #isOverdue = false;
  /** Nobody reads the socket, so nothing can be heard. */
  #isHeld = false;
  #epoch: string | undefined;
  #restarted = false;
  #wasWelcomed = false;
  #roundTripMs: number | undefined;
  /** When the followed runs are asked for anew, since the worker could not read or write one. */
  #followAnewAt: number | undefined;
  /** What the worker said before it closed. */
  #complaint: TeletrainError | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#times = { ...defaultTimes, ...settings.times };
    this.#versions = settings.versions ?? protocolVersions;
    this.#random = settings.random ?? Math.random;
    this.#pending = new PendingRequests(settings.requestPrefix);
    this.#epoch = settings.lastEpoch;
  }

  get state(): ConnectionState {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'idle':
      case 'stopped':
        return { kind: 'offline', reason: 'not connected' };
      case 'connecting':
      case 'greeting':
        return { kind: 'connecting', attempt: phase.attempt };
      case 'connected':
        return {
          kind: 'connected',
          since: phase.since,
          restarted: this.#restarted,
          ...(this.#isOverdue
            ? { unansweredSince: this.#unansweredSince }
            : { roundTripMs: this.#roundTripMs }),
        };
      case 'waiting':
        return phase;
      default:
        return { kind: 'refused', ...phase.error.toJSON() };
    }
  }

  /** When `tick` must be called at the latest; undefined when nothing is waited for. */
  get nextTickAt(): number | undefined {
    const phase = this.#phase;
    const times: number[] = [];
    if (phase.kind === 'greeting') times.push(phase.since + this.#times.greetingMs);
    if (phase.kind === 'connected') {
      times.push(this.#lastPing + this.#times.pingMs);
      if (!this.#isHeld) times.push(this.#lastHeard + this.#times.silenceMs);
      if (this.#followAnewAt !== undefined) times.push(this.#followAnewAt);
    } else {
      if (phase.kind === 'waiting') times.push(phase.retryAt);
      for (const request of this.#pending.all()) times.push(this.#lostAt(request));
    }
    const earliest = Math.min(...times);
    return Number.isFinite(earliest) ? earliest : undefined;
  }

  // What happens

  /** Begins to connect; also cuts a wait short, and tries again after a refusal. */
  start(now: number): ConnectionEffect[] {
    if (!['idle', 'waiting', 'refused'].includes(this.#phase.kind)) return [];
    if (this.#phase.kind !== 'waiting') this.#disconnectedSince = now;
    this.#dial();
    return this.#drain();
  }

  opened(now: number, auth: Hello['auth']): ConnectionEffect[] {
    if (this.#phase.kind !== 'connecting') return [];
    this.#enter({ kind: 'greeting', attempt: this.#phase.attempt, since: now });
    this.#complaint = undefined;
    const { client } = this.#settings;
    this.#send('hello', { protocol: this.#versions, client, auth, capabilities });
    return this.#drain();
  }

  /** Something that no further attempt will mend, found before a socket was opened. */
  refuse(error: TeletrainError): ConnectionEffect[] {
    if (this.#phase.kind !== 'stopped') this.#refuse(error);
    return this.#drain();
  }

  /**
   * The socket was not opened, since who is there did not show to be the worker. Once it has been
   * welcomed by it, a client tries again: a laptop woke up behind the login page of a hotel.
   */
  untrusted(now: number, error: TeletrainError): ConnectionEffect[] {
    if (this.#phase.kind !== 'connecting') return [];
    if (this.#wasWelcomed) this.#lose(now, error.message);
    else this.#refuse(error);
    return this.#drain();
  }

  closed(now: number, code: number, reason: string): ConnectionEffect[] {
    const phase = this.#phase;
    if (phase.kind !== 'connecting' && phase.kind !== 'greeting' && phase.kind !== 'connected') {
      return [];
    }
    if (isRefusal(code)) this.#refuse(this.#complaint ?? refusalFor(code));
    else this.#lose(now, this.#complaint?.message ?? (reason || sentenceFor(code)), code);
    return this.#drain();
  }

  /**
   * Bytes arrived, perhaps not yet a whole message. Were only messages to count, a line on which one
   * takes longer than `silenceMs` would be given up in the middle of it, each time anew.
   */
  heard(now: number): void {
    this.#lastHeard = now;
  }

  received(now: number, message: Uint8Array): ConnectionEffect[] {
    if (this.#phase.kind !== 'greeting' && this.#phase.kind !== 'connected') return [];
    this.#lastHeard = now;
    try {
      this.#take(now, decodeFrame(message));
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      this.#effects.push({ type: 'close', code: closeCodes.malformed, reason: error.code });
      this.#lose(now, error.message, closeCodes.malformed);
    }
    return this.#drain();
  }

  /** The owner of the socket reads nothing from now on; pings are sent all the same, so the worker waits. */
  hold(): void {
    this.#isHeld = true;
  }

  /** It reads again. */
  release(now: number): ConnectionEffect[] {
    this.#isHeld = false;
    this.#lastHeard = now;
    if (this.#unansweredSince !== undefined) this.#unansweredSince = now;
    return this.#drain();
  }

  tick(now: number): ConnectionEffect[] {
    const phase = this.#phase;
    if (phase.kind === 'waiting' && now >= phase.retryAt) this.#dial();
    if (phase.kind === 'greeting' && now >= phase.since + this.#times.greetingMs) {
      this.#effects.push({ type: 'terminate' });
      this.#lose(now, 'the worker did not answer the greeting');
    }
    if (phase.kind === 'connected') {
      this.#followAnew(now);
      if (!this.#isHeld && now >= this.#lastHeard + this.#times.silenceMs) {
        this.#effects.push({ type: 'terminate' });
        this.#lose(now, `nothing was heard for ${Math.round((now - this.#lastHeard) / 1000)} s`);
      } else if (now >= this.#lastPing + this.#times.pingMs) {
        this.#ping(now);
        if (!this.#isHeld) this.#noteOverdue(now);
      }
    } else {
      for (const request of this.#pending.all()) {
        if (now >= this.#lostAt(request)) this.#reject(request, workerLost(this.#why()));
      }
    }
    return this.#drain();
  }

  // What is asked of it

  /**
   * @param options.patienceMs rejects with `worker-lost` after this long without a connection;
   *   default: waits for as long as it takes.
   */
  request<Method extends MethodName>(
    now: number,
    method: Method,
    params: ParamsOf<Method>,
    options: { payload?: Uint8Array; patienceMs?: number } = {},
  ): { id: string; effects: ConnectionEffect[] } {
    const request = this.#make(now, method, params, options);
    if (this.#phase.kind === 'refused') this.#reject(request, this.#phase.error);
    else if (this.#phase.kind === 'stopped') this.#reject(request, connectionClosed());
    else this.#sendWaiting();
    return { id: request.id, effects: this.#drain() };
  }

  /** The answer no longer matters. A request that changes something may have been done all the same. */
  cancel(id: string): ConnectionEffect[] {
    const request = this.#pending.get(id);
    if (!request) return [];
    if (this.#pending.isSent(id)) this.#send('cancel', { id });
    this.#pending.remove(id);
    this.#sendWaiting();
    return this.#drain();
  }

  /** Events of the run from `fromSeq` on come out until `unfollow`, over any number of reconnects. */
  follow(now: number, run: string, fromSeq: number): ConnectionEffect[] {
    const follow = new FollowedRun(fromSeq);
    this.#follows.set(run, follow);
    if (this.#phase.kind === 'connected') this.#askForEvents(now, run, follow);
    return this.#drain();
  }

  unfollow(now: number, run: string): ConnectionEffect[] {
    if (!this.#follows.delete(run)) return [];
    for (const request of this.#pending.all()) {
      if (request.followed === run) this.#pending.remove(request.id);
    }
    if (this.#phase.kind === 'connected') {
      this.#make(now, 'run.unfollow', { run });
      this.#sendWaiting();
    }
    return this.#drain();
  }

  /** For good: unanswered requests are rejected as `connection-closed`. */
  stop(): ConnectionEffect[] {
    if (this.#phase.kind === 'stopped') return [];
    for (const request of this.#pending.all()) this.#reject(request, connectionClosed());
    this.#follows.clear();
    this.#effects.push({ type: 'close', code: closeCodes.normal, reason: '' });
    this.#enter({ kind: 'stopped' });
    return this.#drain();
  }

  // Inside

  #drain(): ConnectionEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#sayState();
  }

  #sayState(): void {
    this.#effects.push({ type: 'state', state: this.state });
  }

  #send(kind: FrameKind, header: unknown, payload?: Uint8Array): void {
    this.#effects.push({ type: 'send', kind, header, ...(payload ? { payload } : {}) });
  }

  #dial(): void {
    this.#attempts += 1;
    this.#enter({ kind: 'connecting', attempt: this.#attempts });
    this.#effects.push({ type: 'connect' });
  }

  #lose(now: number, reason: string, code?: number): void {
    this.#isHeld = false;
    const phase = this.#phase;
    if (phase.kind === 'connected') {
      this.#disconnectedSince = now;
      if (now - phase.since >= this.#times.settledMs) this.#attempts = 0;
    }
    this.#followAnewAt = undefined;
    this.#pending.disconnected();
    for (const follow of this.#follows.values()) follow.disconnected();
    const delay = retryDelay(this.#attempts, this.#times, this.#random());
    const atLeast = code === closeCodes.tooManyAttempts ? 60_000 : 0;
    this.#enter({
      kind: 'waiting',
      attempt: this.#attempts,
      retryAt: now + Math.max(delay, atLeast),
      reason,
    });
  }

  #refuse(error: TeletrainError): void {
    for (const request of this.#pending.all()) this.#reject(request, error);
    this.#enter({ kind: 'refused', error });
  }

  #why(): string {
    return this.#phase.kind === 'waiting' ? this.#phase.reason : 'it does not answer';
  }

  #lostAt(request: PendingRequest): number {
    return Math.max(request.madeAt, this.#disconnectedSince) + request.patienceMs;
  }

  #make(
    now: number,
    method: MethodName,
    params: unknown,
    options: { payload?: Uint8Array; patienceMs?: number; followed?: string } = {},
  ): PendingRequest {
    const { payload, followed, patienceMs = Number.POSITIVE_INFINITY } = options;
    return this.#pending.add({ method, params, payload, followed, patienceMs, madeAt: now });
  }

  #reject(request: PendingRequest, error: TeletrainError): void {
    this.#pending.remove(request.id);
    this.#effects.push({ type: 'rejected', id: request.id, error });
  }

  #sendWaiting(): void {
    if (this.#phase.kind !== 'connected') return;
    for (const { id, method, params, payload } of this.#pending.takeUnsent()) {
      this.#send('request', { id, method, params }, payload);
    }
  }

  #ping(now: number): void {
    this.#lastPing = now;
    this.#unansweredSince ??= now;
    this.#send('ping', { time: now });
  }

  /** The last round trip says nothing of a line on which two pings went unanswered. */
  #noteOverdue(now: number): void {
    if (now < (this.#unansweredSince ?? now) + 2 * this.#times.pingMs || this.#isOverdue) return;
    this.#isOverdue = true;
    this.#sayState();
  }

  #answeredPing(now: number, sentAt: number): void {
    this.#roundTripMs = Math.max(0, now - sentAt);
    this.#unansweredSince = sentAt < this.#lastPing ? this.#lastPing : undefined;
    this.#isOverdue = false;
    this.#sayState();
  }

  /** Each answer tells the run's state too, which no event can where its journal takes none. */
  #followAnew(now: number): void {
    if (this.#followAnewAt === undefined || now < this.#followAnewAt) return;
    this.#followAnewAt = undefined;
    for (const [run, follow] of this.#follows) this.#askForEvents(now, run, follow);
  }

  #askForEvents(now: number, run: string, follow: FollowedRun): void {
    const params = { run, fromSeq: follow.next, drawings: true };
    follow.asked(this.#make(now, 'run.follow', params, { followed: run }).id);
    this.#sendWaiting();
  }

  #take(now: number, frame: Frame): void {
    if (this.#phase.kind === 'greeting') {
      if (frame.kind === 'welcome') this.#welcomed(now, checkedHeader(welcomeSchema, frame));
      else if (frame.kind === 'error') {
        this.#complaint = fromWire(checkedHeader(errorSchema, frame).error);
      } else if (frame.kind === 'bye') {
        this.#complaint = fromWire(checkedHeader(byeSchema, frame).reason);
      } else if (frame.kind === 'ping') this.#send('pong', checkedHeader(pingSchema, frame));
      return;
    }
    switch (frame.kind) {
      case 'event':
        this.#event(now, checkedHeader(eventFrameSchema, frame).event);
        return;
      case 'status': {
        const { status } = checkedHeader(statusFrameSchema, frame);
        if (this.#follows.has(status.run)) this.#effects.push({ type: 'status', status });
        return;
      }
      case 'drawing': {
        const { drawing } = checkedHeader(drawingFrameSchema, frame);
        if (this.#follows.has(drawing.run)) this.#effects.push({ type: 'drawing', drawing });
        return;
      }
      case 'control': {
        const { control } = checkedHeader(controlFrameSchema, frame);
        this.#effects.push({ type: 'control', control });
        return;
      }
      case 'response': {
        const { id, result } = checkedHeader(responseSchema, frame);
        this.#answered(id, result, frame.payload);
        return;
      }
      case 'results': {
        const header = checkedHeader(resultsHeaderSchema, frame);
        this.#effects.push({ type: 'results', header, payload: frame.payload });
        return;
      }
      case 'error': {
        const { id, error } = checkedHeader(errorSchema, frame);
        if (id === undefined) this.#complained(now, fromWire(error));
        else this.#failed(id, fromWire(error));
        return;
      }
      case 'ping':
        this.#send('pong', checkedHeader(pingSchema, frame));
        return;
      case 'pong':
        this.#answeredPing(now, checkedHeader(pingSchema, frame).time);
        return;
      case 'bye':
        this.#complaint = fromWire(checkedHeader(byeSchema, frame).reason);
        return;
      default:
        // A welcome said twice, a kind that only clients send, one of a newer version: nothing depends on it.
        return;
    }
  }

  #welcomed(now: number, welcome: Welcome): void {
    if (welcome.protocol < this.#versions.min || welcome.protocol > this.#versions.max) {
      this.#effects.push({ type: 'close', code: closeCodes.unsupportedVersion, reason: '' });
      this.#refuse(refusalFor(closeCodes.unsupportedVersion));
      return;
    }
    this.#wasWelcomed = true;
    const { epoch } = welcome.worker;
    this.#restarted = this.#epoch !== undefined && this.#epoch !== epoch;
    this.#epoch = epoch;
    this.#roundTripMs = undefined;
    this.#unansweredSince = undefined;
    this.#isOverdue = false;
    this.#effects.push({ type: 'welcome', welcome });
    this.#enter({ kind: 'connected', since: now });
    this.#ping(now);
    // Unanswered requests go first: they were made before the events that follow now.
    this.#sendWaiting();
    for (const [run, follow] of this.#follows) this.#askForEvents(now, run, follow);
  }

  #event(now: number, event: RunEvent): void {
    const follow = this.#follows.get(event.run);
    if (!follow) return;
    const verdict = follow.take(event.seq);
    if (verdict === 'deliver') this.#effects.push({ type: 'event', event });
    if (verdict === 'ask') this.#askForEvents(now, event.run, follow);
    if (verdict !== 'broken') return;
    this.#effects.push({ type: 'close', code: closeCodes.malformed, reason: 'event-gap' });
    this.#lose(now, `event ${follow.next} of ${event.run} was asked for and did not come`);
  }

  #answered(id: string, result: unknown, payload: Uint8Array): void {
    const request = this.#pending.get(id);
    if (!request) return;
    const parsed = methods[request.method].result.safeParse(result);
    if (!parsed.success) {
      const what = `an answer to ${request.method}`;
      this.#failed(id, malformed(what, parsed.error.issues[0]?.message));
      return;
    }
    this.#pending.remove(id);
    if (request.followed !== undefined) {
      const follow = this.#follows.get(request.followed);
      if (follow) {
        // run.follow was parsed by its own schema just above.
        const { summary } = parsed.data as ResultOf<'run.follow'>;
        follow.answered(id, summary.firstSeq);
        this.#effects.push({ type: 'followed', run: request.followed, summary });
      }
    } else {
      this.#effects.push({ type: 'answer', id, result: parsed.data, payload });
    }
    this.#sendWaiting();
  }

  /**
   * Said before the worker closes, or of a run whose journal took no more: no event can tell its end,
   * so those that are followed are asked for anew, and their summaries tell.
   */
  #complained(now: number, error: TeletrainError): void {
    this.#complaint = error;
    if (error.code !== 'journal-failed') return;
    for (const [run, follow] of this.#follows) {
      if (follow.mayAskAnew()) this.#askForEvents(now, run, follow);
      // Answered alike a moment ago: perhaps the worker's disk is better soon.
      else this.#followAnewAt ??= now + this.#times.pingMs;
    }
  }

  #failed(id: string, error: TeletrainError): void {
    const request = this.#pending.get(id);
    if (!request) return;
    if (request.followed === undefined) this.#reject(request, error);
    else {
      this.#pending.remove(id);
      this.#follows.delete(request.followed);
      this.#effects.push({ type: 'follow-failed', run: request.followed, error });
    }
    this.#sendWaiting();
  }
}
