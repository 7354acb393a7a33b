import { TeletrainError } from '../../shared/errors.ts';
import type { RunEvent, RunStatus } from '../../shared/events.ts';
import { decodeFrame, type Frame } from '../../shared/frames.ts';
import { closeCodes, limits, protocolVersions } from '../../shared/limits.ts';
import {
  byeSchema,
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
  statusFrameSchema,
  type Welcome,
  welcomeSchema,
} from '../../shared/messages.ts';
import type { RunSummary } from '../../shared/run.ts';
import { connectionClosed, fromWire, workerLost } from './errors.ts';
import type { ConnectionState } from './types.ts';

/**
 * The client's half of the protocol as a state machine without a socket or a clock: something
 * happened and the time go in, what to do comes out. `worker-link.ts` drives it.
 *
 * What it promises: a request that was not answered when the socket broke is sent again with the
 * same id; a followed run's events come out once each, in order and without a gap, whatever the
 * socket does.
 */

export interface ConnectionTimes {
  /** Between two pings, each of which measures the round trip. */
  readonly pingMs: number;
  /** Nothing heard for this long: the connection is dead. */
  readonly silenceMs: number;
  /** From the socket's opening to the worker's welcome. */
  readonly greetingMs: number;
  /** First and longest delay between two attempts to connect; it doubles in between. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A connection that lasted this long starts the delays anew. */
  readonly settledMs: number;
}

export const defaultTimes: ConnectionTimes = {
  pingMs: limits.heartbeatMs / 3,
  silenceMs: limits.silenceMs,
  greetingMs: limits.authenticationMs * 2,
  firstDelayMs: 250,
  longestDelayMs: 10_000,
  settledMs: 5_000,
};

export interface ConnectionSettings {
  readonly client: Hello['client'];
  /** Begins every request id, so that two programs of one installation never share one. */
  readonly requestPrefix: string;
  readonly random?: () => number;
  readonly times?: Partial<ConnectionTimes>;
  /** The worker's epoch when this client last saw it. */
  readonly lastEpoch?: string;
}

export type ConnectionEffect =
  | { readonly type: 'connect' }
  | {
      readonly type: 'send';
      readonly kind: FrameKind;
      readonly header: unknown;
      readonly payload?: Uint8Array;
    }
  /** Close politely with a code, or drop at once a socket that is dead. */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'terminate' }
  | { readonly type: 'state'; readonly state: ConnectionState }
  | { readonly type: 'welcome'; readonly welcome: Welcome }
  | {
      readonly type: 'answer';
      readonly id: string;
      readonly result: unknown;
      readonly payload: Uint8Array;
    }
  | { readonly type: 'rejected'; readonly id: string; readonly error: TeletrainError }
  | { readonly type: 'event'; readonly event: RunEvent }
  | { readonly type: 'status'; readonly status: RunStatus }
  | { readonly type: 'followed'; readonly run: string; readonly summary: RunSummary }
  | { readonly type: 'follow-failed'; readonly run: string; readonly error: TeletrainError };

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

interface PendingRequest {
  readonly id: string;
  readonly method: MethodName;
  readonly params: unknown;
  readonly payload: Uint8Array | undefined;
  readonly madeAt: number;
  /** Rejected as `worker-lost` after this long without a connection. */
  readonly patienceMs: number;
  /** Of the machine's own run.follow requests. */
  readonly followed?: string;
  sent: boolean;
}

interface Follow {
  next: number;
  /** The run.follow that was not answered yet. */
  requestId: string | undefined;
  /** A gap before this number was asked for on this connection. */
  gapAsked: number | undefined;
}

/** Close codes after which trying again would only fail again. */
const finalCloseCodes = new Set<number>([closeCodes.unauthorised, closeCodes.unsupportedVersion]);

export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #times: ConnectionTimes;
  readonly #random: () => number;
  readonly #pending = new Map<string, PendingRequest>();
  readonly #follows = new Map<string, Follow>();
  #effects: ConnectionEffect[] = [];
  #phase: Phase = { kind: 'idle' };
  /** Attempts since a connection last settled. */
  #attempts = 0;
  #counter = 0;
  #unsent = 0;
  #disconnectedSince = 0;
  #lastHeard = 0;
  #lastPing = 0;
  #epoch: string | undefined;
  #restarted = false;
  #roundTripMs: number | undefined;
  /** What the worker said before it closed. */
  #complaint: TeletrainError | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#times = { ...defaultTimes, ...settings.times };
    this.#random = settings.random ?? Math.random;
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
          ...(this.#roundTripMs === undefined ? {} : { roundTripMs: this.#roundTripMs }),
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
      times.push(this.#lastPing + this.#times.pingMs, this.#lastHeard + this.#times.silenceMs);
    } else {
      if (phase.kind === 'waiting') times.push(phase.retryAt);
      for (const request of this.#pending.values()) times.push(this.#lostAt(request));
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
    this.#send('hello', { protocol: protocolVersions, client: this.#settings.client, auth });
    return this.#drain();
  }

  /** Something that no further attempt will mend, found before a socket was opened. */
  refuse(error: TeletrainError): ConnectionEffect[] {
    if (this.#phase.kind !== 'stopped') this.#refuse(error);
    return this.#drain();
  }

  closed(now: number, code: number, reason: string): ConnectionEffect[] {
    const phase = this.#phase;
    if (phase.kind !== 'connecting' && phase.kind !== 'greeting' && phase.kind !== 'connected') {
      return [];
    }
    if (finalCloseCodes.has(code)) {
      this.#refuse(this.#complaint ?? refusalFor(code));
      return this.#drain();
    }
    this.#lose(now, this.#complaint?.message ?? (reason || sentenceFor(code)), code);
    return this.#drain();
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

  tick(now: number): ConnectionEffect[] {
    const phase = this.#phase;
    if (phase.kind === 'waiting' && now >= phase.retryAt) this.#dial();
    if (phase.kind === 'greeting' && now >= phase.since + this.#times.greetingMs) {
      this.#effects.push({ type: 'terminate' });
      this.#lose(now, 'the worker did not answer the greeting');
    }
    if (phase.kind === 'connected') {
      if (now >= this.#lastHeard + this.#times.silenceMs) {
        this.#effects.push({ type: 'terminate' });
        this.#lose(now, `nothing was heard for ${Math.round((now - this.#lastHeard) / 1000)} s`);
      } else if (now >= this.#lastPing + this.#times.pingMs) {
        this.#ping(now);
      }
    } else {
      for (const request of this.#pending.values()) {
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
    this.#forget(request);
    if (request.sent && this.#phase.kind === 'connected') this.#send('cancel', { id });
    this.#sendWaiting();
    return this.#drain();
  }

  /** Events of the run from `fromSeq` on come out until `unfollow`, over any number of reconnects. */
  follow(now: number, run: string, fromSeq: number): ConnectionEffect[] {
    const follow: Follow = { next: fromSeq, requestId: undefined, gapAsked: undefined };
    this.#follows.set(run, follow);
    if (this.#phase.kind === 'connected') this.#askForEvents(now, run, follow);
    return this.#drain();
  }

  unfollow(now: number, run: string): ConnectionEffect[] {
    if (!this.#follows.delete(run)) return [];
    for (const request of this.#pending.values()) {
      if (request.followed === run) this.#forget(request);
    }
    if (this.#phase.kind === 'connected') {
      this.#make(now, 'run.unfollow', { run }, {});
      this.#sendWaiting();
    }
    return this.#drain();
  }

  /** For good: unanswered requests are rejected as `connection-closed`. */
  stop(): ConnectionEffect[] {
    if (this.#phase.kind === 'stopped') return [];
    for (const request of this.#pending.values()) this.#reject(request, connectionClosed());
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
    const phase = this.#phase;
    if (phase.kind === 'connected') {
      this.#disconnectedSince = now;
      if (now - phase.since >= this.#times.settledMs) this.#attempts = 0;
    }
    this.#roundTripMs = undefined;
    for (const request of this.#pending.values()) {
      // Its place is taken by the run.follow that the next connection starts with.
      if (request.followed !== undefined) this.#forget(request);
      else if (request.sent) {
        request.sent = false;
        this.#unsent += 1;
      }
    }
    for (const follow of this.#follows.values()) {
      follow.requestId = undefined;
      follow.gapAsked = undefined;
    }
    const doubled = this.#times.firstDelayMs * 2 ** Math.min(this.#attempts, 20);
    // Half of the delay is random, so that many clients do not come back at one moment.
    const delay = Math.min(this.#times.longestDelayMs, doubled) * (0.5 + this.#random() / 2);
    const atLeast = code === closeCodes.tooManyAttempts ? 60_000 : 0;
    this.#enter({
      kind: 'waiting',
      attempt: this.#attempts,
      retryAt: now + Math.max(delay, atLeast),
      reason,
    });
  }

  #refuse(error: TeletrainError): void {
    for (const request of this.#pending.values()) this.#reject(request, error);
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
    options: { payload?: Uint8Array; patienceMs?: number; followed?: string },
  ): PendingRequest {
    this.#counter += 1;
    const request: PendingRequest = {
      id: `${this.#settings.requestPrefix}-${this.#counter.toString(36)}`,
      method,
      params,
      payload: options.payload,
      madeAt: now,
      patienceMs: options.patienceMs ?? Number.POSITIVE_INFINITY,
      ...(options.followed === undefined ? {} : { followed: options.followed }),
      sent: false,
    };
    this.#pending.set(request.id, request);
    this.#unsent += 1;
    return request;
  }

  #forget(request: PendingRequest): void {
    if (this.#pending.delete(request.id) && !request.sent) this.#unsent -= 1;
  }

  #reject(request: PendingRequest, error: TeletrainError): void {
    this.#forget(request);
    this.#effects.push({ type: 'rejected', id: request.id, error });
  }

  /** Sends what was not sent on this connection, oldest first, as far as the limit allows. */
  #sendWaiting(): void {
    if (this.#phase.kind !== 'connected') return;
    let room = limits.requestsInFlight - (this.#pending.size - this.#unsent);
    if (this.#unsent === 0 || room <= 0) return;
    for (const request of this.#pending.values()) {
      if (request.sent) continue;
      if (room === 0) return;
      room -= 1;
      request.sent = true;
      this.#unsent -= 1;
      const { id, method, params } = request;
      this.#send('request', { id, method, params }, request.payload);
    }
  }

  #ping(now: number): void {
    this.#lastPing = now;
    this.#send('ping', { time: now });
  }

  #askForEvents(now: number, run: string, follow: Follow): void {
    const params = { run, fromSeq: follow.next };
    follow.requestId = this.#make(now, 'run.follow', params, { followed: run }).id;
    this.#sendWaiting();
  }

  #take(now: number, frame: Frame): void {
    if (this.#phase.kind === 'greeting') {
      if (frame.kind === 'welcome') this.#welcomed(now, checked(welcomeSchema, frame));
      else if (frame.kind === 'error') {
        this.#complaint = fromWire(checked(errorSchema, frame).error);
      } else if (frame.kind === 'bye') {
        this.#complaint = fromWire(checked(byeSchema, frame).reason);
      } else if (frame.kind === 'ping') this.#send('pong', checked(pingSchema, frame));
      return;
    }
    switch (frame.kind) {
      case 'event':
        this.#event(now, checked(eventFrameSchema, frame).event);
        return;
      case 'status': {
        const { status } = checked(statusFrameSchema, frame);
        if (this.#follows.has(status.run)) this.#effects.push({ type: 'status', status });
        return;
      }
      case 'response': {
        const { id, result } = checked(responseSchema, frame);
        this.#answered(id, result, frame.payload);
        return;
      }
      case 'error': {
        const { id, error } = checked(errorSchema, frame);
        if (id === undefined) this.#complaint = fromWire(error);
        else this.#failed(id, fromWire(error));
        return;
      }
      case 'ping':
        this.#send('pong', checked(pingSchema, frame));
        return;
      case 'pong':
        this.#roundTripMs = Math.max(0, now - checked(pingSchema, frame).time);
        this.#sayState();
        return;
      case 'bye':
        this.#complaint = fromWire(checked(byeSchema, frame).reason);
        return;
      default:
        // A welcome said twice, or a kind that only clients send: nothing depends on it.
        return;
    }
  }

  #welcomed(now: number, welcome: Welcome): void {
    if (welcome.protocol < protocolVersions.min || welcome.protocol > protocolVersions.max) {
      this.#effects.push({ type: 'close', code: closeCodes.unsupportedVersion, reason: '' });
      this.#refuse(refusalFor(closeCodes.unsupportedVersion));
      return;
    }
    const { epoch } = welcome.worker;
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#restarted = true;
    this.#epoch = epoch;
    this.#effects.push({ type: 'welcome', welcome });
    this.#enter({ kind: 'connected', since: now });
    this.#ping(now);
    // Unanswered requests go first: they were made before the events that follow now.
    this.#sendWaiting();
    for (const [run, follow] of this.#follows) this.#askForEvents(now, run, follow);
  }

  #event(now: number, event: RunEvent): void {
    const follow = this.#follows.get(event.run);
    if (!follow || event.seq < follow.next) return;
    if (event.seq === follow.next) {
      follow.next += 1;
      this.#effects.push({ type: 'event', event });
      return;
    }
    // Events are missing. Those before the answer to a run.follow may be of an older one.
    if (follow.requestId !== undefined) return;
    if (follow.gapAsked === follow.next) {
      this.#effects.push({ type: 'close', code: closeCodes.malformed, reason: 'event-gap' });
      this.#lose(now, `event ${follow.next} of ${event.run} was asked for and did not come`);
    }
    follow.gapAsked = follow.next;
    this.#askForEvents(now, event.run, follow);
  }

  #answered(id: string, result: unknown, payload: Uint8Array): void {
    const request = this.#pending.get(id);
    if (!request) return;
    const parsed = methods[request.method].result.safeParse(result);
    if (!parsed.success) {
      const what = parsed.error.issues[0]?.message ?? 'it has another form';
      this.#failed(id, malformedAnswer(request.method, what));
      return;
    }
    this.#forget(request);
    if (request.followed !== undefined) {
      const follow = this.#follows.get(request.followed);
      if (follow) {
        if (follow.requestId === id) follow.requestId = undefined;
        // run.follow was parsed by its own schema just above.
        const { summary } = parsed.data as ResultOf<'run.follow'>;
        this.#effects.push({ type: 'followed', run: request.followed, summary });
      }
    } else {
      this.#effects.push({ type: 'answer', id, result: parsed.data, payload });
    }
    this.#sendWaiting();
  }

  #failed(id: string, error: TeletrainError): void {
    const request = this.#pending.get(id);
    if (!request) return;
    if (request.followed === undefined) this.#reject(request, error);
    else {
      this.#forget(request);
      this.#follows.delete(request.followed);
      this.#effects.push({ type: 'follow-failed', run: request.followed, error });
    }
    this.#sendWaiting();
  }
}

interface Schema<Output> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: Output }
    | { success: false; error: { issues: readonly { message: string }[] } };
}

/** @throws TeletrainError `malformed-message`. */
function checked<Output>(schema: Schema<Output>, frame: Frame): Output {
  const parsed = schema.safeParse(frame.header);
  if (parsed.success) return parsed.data;
  const what = parsed.error.issues[0]?.message ?? 'it has another form';
  throw new TeletrainError(
    'malformed-message',
    `The worker sent a ${frame.kind} message that cannot be read: ${what}.`,
    {
      hint: 'Use the same version of teletrain on both ends.',
    },
  );
}

function malformedAnswer(method: MethodName, what: string): TeletrainError {
  return new TeletrainError(
    'malformed-message',
    `The worker's answer to ${method} cannot be read: ${what}.`,
    {
      hint: 'Use the same version of teletrain on both ends.',
    },
  );
}

function refusalFor(code: number): TeletrainError {
  return code === closeCodes.unsupportedVersion
    ? new TeletrainError(
        'unsupported-version',
        'The worker speaks no version of the protocol that this client knows.',
        {
          hint: 'Use the same version of teletrain on both ends.',
        },
      )
    : new TeletrainError('unauthorised', 'The worker does not accept the token or code.', {
        hint: 'Pair with it again: teletrain connect <url>, with the code it prints.',
      });
}

function sentenceFor(code: number): string {
  if (code === closeCodes.workerStopping) return 'the worker is stopping';
  if (code === closeCodes.tooManyAttempts)
    return 'the worker refuses for a minute after too many wrong attempts';
  return `the connection broke (${code})`;
}
