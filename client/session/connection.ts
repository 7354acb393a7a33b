import { TeletrainError } from '../../shared/errors.ts';
import { decodeFrame, type Frame } from '../../shared/frames.ts';
import { closeCodes, protocolVersions } from '../../shared/limits.ts';
import {
  type FrameKind,
  type Hello,
  type MethodName,
  type ParamsOf,
  type Welcome,
  welcomeSchema,
} from '../../shared/messages.ts';
import type { VersionRange } from '../../shared/versions.ts';
import { Attempts } from './attempts.ts';
import type { ConnectionEffect } from './connection-effects.ts';
import { type ConnectionPhase, stateOf } from './connection-phase.ts';
import { type ConnectionTimes, defaultTimes } from './connection-times.ts';
import { Conversation } from './conversation.ts';
import { connectionClosed, workerLost } from './errors.ts';
import { Heartbeat } from './heartbeat.ts';
import { checkedHeader, isRefusal, refusalFor, sentenceFor } from './incoming.ts';
import { Reception } from './reception.ts';
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
  /** It is only asked how the worker is. */
  readonly glance?: boolean;
  /** What this client speaks. Default: `protocolVersions`. */
  readonly versions?: VersionRange;
}

/** What this client takes beyond what every version 1 does. */
const capabilities = ['control'];

export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #times: ConnectionTimes;
  readonly #versions: VersionRange;
  readonly #attempts: Attempts;
  readonly #conversation: Conversation;
  readonly #heartbeat: Heartbeat;
  readonly #reception: Reception;
  #effects: ConnectionEffect[] = [];
  #phase: ConnectionPhase = { kind: 'idle' };
  #epoch: string | undefined;
  #restarted = false;
  #wasWelcomed = false;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#times = { ...defaultTimes, ...settings.times };
    this.#versions = settings.versions ?? protocolVersions;
    this.#attempts = new Attempts(this.#times, settings.random ?? Math.random);
    this.#heartbeat = new Heartbeat(this.#times);
    this.#conversation = new Conversation({
      requestPrefix: settings.requestPrefix,
      askAnewMs: this.#times.pingMs,
      emit: (effect) => this.#effects.push(effect),
    });
    this.#reception = new Reception({
      conversation: this.#conversation,
      heartbeat: this.#heartbeat,
      emit: (effect) => this.#effects.push(effect),
      onPong: () => this.#sayState(),
    });
    this.#epoch = settings.lastEpoch;
  }

  get state(): ConnectionState {
    return stateOf(this.#phase, { restarted: this.#restarted, ...this.#heartbeat.shown });
  }

  get isConnected(): boolean {
    return this.#phase.kind === 'connected';
  }

  /** When `tick` must be called at the latest; undefined when nothing is waited for. */
  get nextTickAt(): number | undefined {
    const earliest = Math.min(this.#conversation.nextAt, this.#phaseEndsAt);
    return Number.isFinite(earliest) ? earliest : undefined;
  }

  // What happens

  /** Begins to connect; also cuts a wait short, and tries again after a refusal. */
  start(now: number): ConnectionEffect[] {
    if (!['idle', 'waiting', 'refused'].includes(this.#phase.kind)) return [];
    if (this.#phase.kind !== 'waiting') this.#conversation.waitsSince(now);
    this.#dial();
    return this.#drain();
  }

  opened(now: number, auth: Hello['auth']): ConnectionEffect[] {
    if (this.#phase.kind !== 'connecting') return [];
    this.#enter({ kind: 'greeting', attempt: this.#phase.attempt, since: now });
    this.#reception.begin();
    const { client, glance } = this.#settings;
    const more = glance ? { glance } : {};
    this.#send('hello', { protocol: this.#versions, client, auth, capabilities, ...more });
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
    if (isRefusal(code)) this.#refuse(this.#reception.complaint ?? refusalFor(code));
    else this.#lose(now, this.#reception.complaint?.message ?? (reason || sentenceFor(code)), code);
    return this.#drain();
  }

  /**
   * Bytes arrived, perhaps not yet a whole message. Were only messages to count, a line on which one
   * takes longer than `silenceMs` would be given up in the middle of it, each time anew.
   */
  heard(now: number): void {
    this.#heartbeat.heard(now);
  }

  received(now: number, message: Uint8Array): ConnectionEffect[] {
    if (this.#phase.kind !== 'greeting' && this.#phase.kind !== 'connected') return [];
    this.#heartbeat.heard(now);
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
    this.#heartbeat.hold();
  }

  /** It reads again. */
  release(now: number): ConnectionEffect[] {
    this.#heartbeat.release(now);
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
      this.#conversation.tick(now);
      if (this.#heartbeat.isDead(now)) {
        this.#effects.push({ type: 'terminate' });
        const seconds = Math.round(this.#heartbeat.silentMs(now) / 1000);
        this.#lose(now, `nothing was heard for ${seconds} s`);
      } else if (this.#heartbeat.isPingDue(now)) {
        this.#ping(now);
        if (this.#heartbeat.becomesOverdue(now)) this.#sayState();
      }
    } else {
      this.#conversation.rejectLost(now, () => workerLost(this.#why()));
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
    const id = this.#conversation.request(now, method, params, options);
    if (this.#phase.kind === 'refused') this.#conversation.reject(id, this.#phase.error);
    if (this.#phase.kind === 'stopped') this.#conversation.reject(id, connectionClosed());
    return { id, effects: this.#drain() };
  }

  /** The answer no longer matters. A request that changes something may have been done all the same. */
  cancel(id: string): ConnectionEffect[] {
    this.#conversation.cancel(id);
    return this.#drain();
  }

  /** Events of the run from `fromSeq` on come out until `unfollow`, over any number of reconnects. */
  follow(now: number, run: string, fromSeq: number): ConnectionEffect[] {
    this.#conversation.follow(now, run, fromSeq);
    return this.#drain();
  }

  unfollow(now: number, run: string): ConnectionEffect[] {
    this.#conversation.unfollow(now, run);
    return this.#drain();
  }

  /** For good: unanswered requests are rejected as `connection-closed`. */
  stop(): ConnectionEffect[] {
    if (this.#phase.kind === 'stopped') return [];
    this.#conversation.end(connectionClosed());
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

  #enter(phase: ConnectionPhase): void {
    this.#phase = phase;
    this.#sayState();
  }

  #sayState(): void {
    this.#effects.push({ type: 'state', state: this.state });
  }

  #send(kind: FrameKind, header: unknown, payload?: Uint8Array): void {
    this.#effects.push({ type: 'send', kind, header, payload });
  }

  #dial(): void {
    this.#attempts.begin();
    this.#enter({ kind: 'connecting', attempt: this.#attempts.count });
    this.#effects.push({ type: 'connect' });
  }

  #lose(now: number, reason: string, code?: number): void {
    this.#heartbeat.release();
    this.#conversation.disconnected(now);
    const phase = this.#phase;
    const lastedMs = phase.kind === 'connected' ? now - phase.since : undefined;
    const retryAt = now + this.#attempts.delayAfter(lastedMs, code);
    this.#enter({ kind: 'waiting', attempt: this.#attempts.count, retryAt, reason });
  }

  #refuse(error: TeletrainError): void {
    this.#conversation.refused(error);
    this.#enter({ kind: 'refused', error });
  }

  /** When the phase that it is in has something to do by itself. */
  get #phaseEndsAt(): number {
    const phase = this.#phase;
    if (phase.kind === 'connected') return this.#heartbeat.nextAt;
    if (phase.kind === 'greeting') return phase.since + this.#times.greetingMs;
    return phase.kind === 'waiting' ? phase.retryAt : Number.POSITIVE_INFINITY;
  }

  #why(): string {
    return this.#phase.kind === 'waiting' ? this.#phase.reason : 'it does not answer';
  }

  #ping(now: number): void {
    this.#heartbeat.pinged(now);
    this.#send('ping', { time: now });
  }

  #take(now: number, frame: Frame): void {
    if (this.#phase.kind !== 'greeting') {
      const why = this.#reception.take(now, frame);
      if (why === undefined) return;
      this.#effects.push({ type: 'close', code: closeCodes.malformed, reason: 'event-gap' });
      this.#lose(now, why);
    } else if (frame.kind === 'welcome') {
      this.#welcomed(now, checkedHeader(welcomeSchema, frame));
    } else this.#reception.takeOfAnyone(frame);
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
    this.#heartbeat.begin();
    this.#effects.push({ type: 'welcome', welcome });
    this.#enter({ kind: 'connected', since: now });
    this.#ping(now);
    this.#conversation.connected(now);
  }
}
