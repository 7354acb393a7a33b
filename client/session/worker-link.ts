import { Alarm } from '../../shared/alarm.ts';
import type { Clock } from '../../shared/clock.ts';
import { priorityOf } from '../../shared/frame-sender.ts';
import { encodeFrame } from '../../shared/frames.ts';
import {
  type ControlState,
  type FrameKind,
  type Hello,
  type MethodName,
  methods,
  type ParamsOf,
  type ResultOf,
  type ResultsHeader,
  type RoleName,
  type Welcome,
} from '../../shared/messages.ts';
import { readOnly } from '../../shared/read-only.ts';
import type { System } from '../../shared/system.ts';
import { type Answer, AwaitedAnswers } from './awaited-answers.ts';
import { Connection } from './connection.ts';
import type { ConnectionEffect } from './connection-effects.ts';
import type { ConnectionTimes } from './connection-times.ts';
import { type Away, CurrentSocket, type Endpoint } from './current-socket.ts';
import { cancelled } from './errors.ts';
import { type RunFollower, RunFollowers } from './run-followers.ts';
import type { OpenSocket } from './socket.ts';
import { nodeSystem } from './system.ts';
import type { Access, ConnectionState } from './types.ts';
import { type Patience, untilConnected } from './until-connected.ts';

/** Who takes the results of tensor sessions. */
export interface ResultsTaker {
  results(header: ResultsHeader, payload: Uint8Array): void;
  /** `sendCommands` may be of use again. */
  drained(): void;
}

export interface WorkerLinkOptions {
  readonly client: Hello['client'];
  /** @throws TeletrainError what no further attempt will mend. */
  readonly endpoint: () => Promise<Endpoint | Away>;
  readonly lastEpoch?: string;
  /** What the token allows, as it was said when it was given. */
  readonly role?: RoleName | undefined;
  /** The worker is only asked how it is, which keeps nothing for this client. */
  readonly glance?: boolean | undefined;
  readonly times?: Partial<ConnectionTimes>;
  readonly system?: System;
  readonly openSocket?: OpenSocket;
}

/** One connection to one worker, shared by all that this program does there: the machine of connection.ts with a socket and a clock. */
export class WorkerLink {
  readonly #machine: Connection;
  readonly #options: WorkerLinkOptions;
  readonly #clock: Clock;
  readonly #answers = new AwaitedAnswers();
  readonly #followers = new RunFollowers();
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  readonly #controlListeners = new Set<() => void>();
  /** Those for whom events come too fast just now. */
  readonly #holders = new Set<object>();
  #resultsTaker: ResultsTaker | undefined;
  readonly #socket: CurrentSocket;
  readonly #alarm: Alarm;
  #welcome: Welcome | undefined;
  #control: ControlState | undefined;

  constructor(options: WorkerLinkOptions) {
    this.#options = options;
    const { clock, random } = options.system ?? nodeSystem;
    this.#clock = clock;
    this.#alarm = new Alarm(clock, () => this.#do(this.#machine.tick(clock.monotonic())));
    this.#machine = new Connection({
      client: options.client,
      requestPrefix: random.bytes(6).toString('base64url'),
      random: random.fraction,
      ...(options.times ? { times: options.times } : {}),
      ...(options.glance ? { glance: true } : {}),
      ...(options.lastEpoch === undefined ? {} : { lastEpoch: options.lastEpoch }),
    });
    this.#socket = new CurrentSocket(options, {
      refused: (error) => this.#do(this.#machine.refuse(error)),
      untrusted: (error) => this.#do(this.#machine.untrusted(clock.monotonic(), error)),
      opened: (auth) => this.#do(this.#machine.opened(clock.monotonic(), auth)),
      closed: (code, reason) => this.#do(this.#machine.closed(clock.monotonic(), code, reason)),
      heard: () => this.#machine.heard(clock.monotonic()),
      received: (message) => this.#received(message),
      drained: () => this.#resultsTaker?.drained(),
    });
  }

  get state(): ConnectionState {
    return this.#machine.state;
  }

  /** What the worker said of itself when it was last reached. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /**
   * What this client may do there, as the worker said last: a token keeps its role, while of who has
   * control nothing is known without a connection. Undefined where it never said.
   */
  get access(): Access | undefined {
    const { role = 'control' } = this.#welcome ?? this.#options;
    if (!this.#welcome && this.#options.role === undefined) return undefined;
    return this.state.kind === 'connected' ? { role, control: this.#control } : { role };
  }

  /**
   * What cannot be done with this client's token need not be asked, nor waited for while the worker is away.
   * @throws TeletrainError `read-only`.
   */
  requireMayAsk(method: MethodName): void {
    if (methods[method].needs !== 'observe' && this.access?.role === 'observe')
      throw readOnly(method);
  }

  /** Begins to connect, or tries again at once. */
  start(): void {
    this.#do(this.#machine.start(this.#clock.monotonic()));
  }

  onState(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when somebody else got control, or this client. */
  onControl(listener: () => void): () => void {
    this.#controlListeners.add(listener);
    return () => this.#controlListeners.delete(listener);
  }

  /**
   * Resolves with the worker's welcome once connected.
   * @throws TeletrainError the refusal; `worker-lost` after `patienceMs` or so many attempts;
   *   `cancelled`.
   */
  connected(patience: Patience): Promise<Welcome> {
    this.start();
    return untilConnected(this, this.#clock, patience);
  }

  /**
   * Asks and waits for the answer, over any number of reconnects.
   * @throws TeletrainError what the worker answered; `read-only`; `worker-lost` after `patienceMs` without a
   *   connection; the refusal; `cancelled`.
   */
  request<Method extends MethodName>(
    method: Method,
    params: ParamsOf<Method>,
    options: { payload?: Uint8Array; patienceMs?: number; signal?: AbortSignal } = {},
  ): Promise<Answer<ResultOf<Method>>> {
    const { signal } = options;
    try {
      if (signal?.aborted) throw cancelled('The request', signal);
      this.requireMayAsk(method);
    } catch (error) {
      return Promise.reject(error);
    }
    const { id, effects } = this.#machine.request(this.#clock.monotonic(), method, params, options);
    const giveUp = (): void => this.#do(this.#machine.cancel(id));
    const answer = this.#answers.of(id, signal, giveUp);
    try {
      this.#do(effects);
    } catch (error) {
      // It has no form on the wire, so no later connection will take it either.
      this.#machine.cancel(id);
      this.#answers.failed(id, error);
    }
    // The machine parsed the result by this method's schema.
    return answer as Promise<Answer<ResultOf<Method>>>;
  }

  /** One follower a run; a second takes the place of the first. */
  follow(run: string, fromSeq: number, follower: RunFollower): void {
    this.#followers.set(run, follower);
    this.#do(this.#machine.follow(this.#clock.monotonic(), run, fromSeq));
  }

  /** Does nothing where another follower has taken its place. */
  unfollow(run: string, follower: RunFollower): void {
    if (!this.#followers.remove(run, follower)) return;
    this.#do(this.#machine.unfollow(this.#clock.monotonic(), run));
  }

  /**
   * Reads nothing more from the worker until what it gives is called: events come faster than they are
   * taken. All that shares this connection waits too; the worker keeps it.
   */
  hold(): () => void {
    const holder = {};
    this.#holders.add(holder);
    this.#pause();
    return () => {
      if (!this.#holders.delete(holder) || this.#holders.size > 0) return;
      this.#socket.now?.resume();
      this.#do(this.#machine.release(this.#clock.monotonic()));
    };
  }

  takeResults(taker: ResultsTaker): void {
    this.#resultsTaker = taker;
  }

  /**
   * Sends a whole `commands` frame unless so much waits that a ping would wait with it, or nobody is
   * connected. @param sent called when it left this program. @returns whether it was sent.
   */
  sendCommands(frame: Uint8Array, sent?: () => void): boolean {
    const priority = priorityOf('commands', frame.byteLength);
    const socket = this.#machine.isConnected ? this.#socket.now : undefined;
    if (!socket?.hasRoom(priority)) return false;
    socket.send(priority, frame, sent);
    return true;
  }

  /** A `commands` frame that only says which results arrived: the worker may be waiting for that. */
  sendConfirmation(frame: Uint8Array): void {
    if (this.#machine.isConnected) this.#socket.now?.send('control', frame);
  }

  get follows(): number {
    return this.#followers.count;
  }

  close(): void {
    this.#do(this.#machine.stop());
    this.#socket.end();
    this.#alarm.set(Number.POSITIVE_INFINITY);
    this.#listeners.clear();
    this.#controlListeners.clear();
    this.#followers.clear();
  }

  #pause(): void {
    if (this.#holders.size === 0 || !this.#machine.isConnected) return;
    this.#socket.now?.pause();
    this.#machine.hold();
  }

  #do(effects: readonly ConnectionEffect[]): void {
    for (const effect of effects) this.#perform(effect);
    this.#alarm.set(this.#machine.nextTickAt ?? Number.POSITIVE_INFINITY);
  }

  #perform(effect: ConnectionEffect): void {
    switch (effect.type) {
      case 'connect':
        void this.#socket.open();
        return;
      case 'send':
        this.#send(effect.kind, encodeFrame(effect.kind, effect.header, effect.payload));
        return;
      case 'close':
        this.#socket.close(effect.code, effect.reason);
        return;
      case 'terminate':
        this.#socket.terminate();
        return;
      case 'state':
        for (const listener of this.#listeners) listener(effect.state);
        return;
      case 'welcome':
        this.#welcome = effect.welcome;
        this.#control = undefined;
        this.#pause();
        return;
      case 'control':
        this.#control = effect.control;
        for (const listener of this.#controlListeners) listener();
        return;
      case 'answer':
        this.#answers.answered(effect.id, effect);
        return;
      case 'rejected':
        this.#answers.failed(effect.id, effect.error);
        return;
      case 'results':
        this.#resultsTaker?.results(effect.header, effect.payload);
        return;
      default:
        this.#followers.tell(effect);
    }
  }

  #send(kind: FrameKind, frame: Uint8Array): void {
    this.#socket.now?.send(priorityOf(kind, frame.byteLength), frame);
  }

  /** @returns whether its bytes are not looked at any more: results were copied; an answer's are its asker's. */
  #received(message: Uint8Array): boolean {
    const effects = this.#machine.received(this.#clock.monotonic(), message);
    this.#do(effects);
    return effects.some(({ type }) => type === 'results');
  }
}
