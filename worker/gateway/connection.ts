import { Alarm } from '../../shared/alarm.ts';
import { type Clock, sleep, systemClock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import {
  FrameSender,
  type FrameSink,
  type Priority,
  priorityOf,
} from '../../shared/frame-sender.ts';
import { encodeFrame } from '../../shared/frames.ts';
import { closeCodes, limits } from '../../shared/limits.ts';
import type {
  CommandsHeader,
  ControlState,
  FrameKind,
  Hello,
  ResultsHeader,
} from '../../shared/messages.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import type { Caller, ControlOutlet } from './control-keeper.ts';
import type { Verdict } from './door.ts';
import { Follower, type FollowerOptions } from './follow.ts';
import type { WatchingConnection } from './observers.ts';
import type { AskingConnection, Outcome } from './outcome.ts';
import type { Run } from './run.ts';
import { type CheckedRequest, Session, type SessionStep } from './session.ts';
import type { ResultsOutlet } from './tensor-session.ts';
import { toldFailure } from './told-failure.ts';

/** What the gateway does for a connection. */
export interface ConnectionHost {
  /** @returns the welcome, or why not and the close code. */
  authenticate(hello: Hello, address: string): Promise<Verdict>;
  /** The client was told that it is welcome. */
  welcomed(connection: ControlOutlet & WatchingConnection): void;
  /** @returns the outcome itself where nothing was waited for. @throws what is answered instead, at once or then. */
  perform(
    client: string,
    request: CheckedRequest,
    connection: AskingConnection,
  ): Outcome | Promise<Outcome>;
  /** A batch of commands for a tensor session. `passedOn`: its bytes are not looked at any more. */
  commands(
    connection: ResultsOutlet,
    header: CommandsHeader,
    payload: Uint8Array,
    passedOn: () => void,
  ): void;
  /** There is room again in the connection. */
  hasRoom(connection: ResultsOutlet): void;
  /** The connection is gone; its client closed it, or it broke. */
  closed(
    connection: ResultsOutlet & ControlOutlet & WatchingConnection,
    saidGoodbye: boolean,
  ): void;
  /** A fault of ours, for the worker's own log. */
  onFault(what: string, error: unknown): void;
}

/** The part of a WebSocket of `ws` that a connection uses. */
export interface MessageSocket extends FrameSink {
  readonly readyState: number;
  readonly OPEN: number;
  readonly CLOSED: number;
  /** Nothing more is received until `resume`. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(
    event: 'message',
    listener: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void,
  ): unknown;
  on(event: 'close', listener: (code: number) => void): unknown;
  on(event: 'error', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export interface ConnectionOptions {
  /** Of the client, as far as it can be known. */
  readonly address: string;
  readonly host: ConnectionHost;
  readonly clock?: Clock;
  /** What sends in place of the socket itself. */
  readonly sink?: FrameSink;
}

const closeGraceMs = 2_000;
/** A client that lets so many bytes wait to be sent is not listened to until it takes them. */
const mostUntaken = 2 * limits.frameBytes;

/** One socket: carries out what its session says, and lets nothing pile up in memory. */
export class Connection implements AskingConnection {
  readonly #socket: MessageSocket;
  readonly #address: string;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #sender: FrameSender;
  readonly #clock: Clock;
  readonly #followers = new Map<string, Follower>();
  readonly #cancelled = new Set<string>();
  readonly #waitingForRoom: (() => void)[] = [];
  /** Chunks of files are read and sent one after the other, each when there is room for it. */
  #bulk: Promise<unknown> = Promise.resolve();
  #isDeaf = false;
  readonly #alarm: Alarm;
  #caller: Caller | undefined;
  /** What the client takes beyond what every version 1 does. */
  #takes: readonly string[] = [];

  constructor(
    socket: MessageSocket,
    { address, host, clock = systemClock, sink = socket }: ConnectionOptions,
  ) {
    this.#socket = socket;
    this.#address = address;
    this.#host = host;
    this.#session = new Session(clock.monotonic());
    this.#clock = clock;
    const tick = (): void => this.#carryOut(this.#session.tick(clock.monotonic()));
    this.#alarm = new Alarm(clock, tick, { background: true });
    this.#sender = new FrameSender(sink, () => this.#onRoom());
    socket.on('message', (data, isBinary) => {
      const now = clock.monotonic();
      const message = toBytes(data);
      const steps = isBinary ? this.#session.receive(message, now) : this.#session.receiveText(now);
      this.#carryOut(steps, () => releaseBytes(message));
    });
    socket.on('close', (code) => this.#release(code === closeCodes.normal));
    // A broken or abusive socket is closed by ws itself; `close` follows.
    socket.on('error', () => {});
    this.#schedule();
  }

  /** Bytes arrived, perhaps of a message that is long in coming: on a slow line that is no silence. */
  heard(): void {
    this.#session.noteHeard(this.#clock.monotonic());
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get isWelcomed(): boolean {
    return this.#session.isWelcomed;
  }

  get caller(): Caller {
    if (!this.#caller) throw new Error('nobody was welcomed');
    return this.#caller;
  }

  sendControl(control: ControlState): void {
    if (!this.#takes.includes('control')) return;
    this.#session.noteSent(this.#clock.monotonic());
    this.#send('control', { control });
  }

  follow(run: Run, { fromSeq, drawings }: Omit<FollowerOptions, 'onError'>): void {
    const isNew = !this.#followers.has(run.id);
    if (isNew && this.#followers.size >= limits.followsPerConnection) {
      throw new TeletrainError(
        'too-many-follows',
        `More than ${limits.followsPerConnection} runs are followed.`,
        {
          hint: 'Unfollow some of them first.',
        },
      );
    }
    this.unfollow(run.id);
    const outlet = {
      hasRoom: () => this.#sender.hasRoom('calls'),
      isIdle: () => this.#sender.waitingBytes === 0,
      send: (frame: Uint8Array) => {
        this.#session.noteSent(this.#clock.monotonic());
        this.#sendFrame('calls', frame);
      },
    };
    const onError = (error: unknown) => {
      const told = error instanceof TeletrainError ? error : this.#fault('following a run', error);
      this.#send('error', { error: told.toJSON() });
    };
    const follower = new Follower(run, outlet, { fromSeq, drawings, onError });
    this.#followers.set(run.id, follower);
  }

  hasRoom(payloadBytes: number): boolean {
    return this.#sender.hasRoom(priorityOf('results', payloadBytes));
  }

  sendResults(header: ResultsHeader, payload: Uint8Array): void {
    this.#session.noteSent(this.#clock.monotonic());
    const priority = header.ended ? 'control' : priorityOf('results', payload.byteLength);
    this.#send('results', header, payload, priority);
  }

  unfollow(run: string): void {
    this.#followers.get(run)?.close();
    this.#followers.delete(run);
  }

  /** Says why and closes; when the farewell is not taken in time, drops the socket. */
  end(error: TeletrainError, code: number): void {
    this.#carryOut(this.#session.end(error, code, this.#clock.monotonic()));
  }

  /** Resolves when its followers have sent all there is, or after `withinMs`. */
  async drained(withinMs: number): Promise<void> {
    const deadline = this.#clock.monotonic() + withinMs;
    const isDone = () =>
      this.#socket.readyState !== this.#socket.OPEN ||
      ([...this.#followers.values()].every((follower) => follower.isCaughtUp) &&
        this.#sender.waitingBytes === 0);
    while (!isDone() && this.#clock.monotonic() < deadline) {
      await sleep(this.#clock, 10);
    }
  }

  get closed(): Promise<void> {
    if (this.#socket.readyState === this.#socket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => this.#socket.once('close', () => resolve()));
  }

  #carryOut(steps: readonly SessionStep[], passedOn = () => {}): void {
    for (const step of steps) this.#step(step, passedOn);
    this.#schedule();
  }

  #step(step: SessionStep, passedOn: () => void): void {
    switch (step.do) {
      case 'send':
        this.#send(step.kind, step.header, step.payload);
        return;
      case 'authenticate':
        void this.#authenticate(step.hello);
        return;
      case 'perform':
        this.#perform(step.request);
        return;
      case 'commands':
        this.#host.commands(this, step.header, step.payload, passedOn);
        return;
      case 'cancel':
        this.#cancelled.add(step.id);
        return;
      case 'close': {
        this.#socket.close(step.code, step.reason);
        // A peer that does not answer the close frame is not waited for.
        const drop = (): void => this.#socket.terminate();
        this.#clock.after(closeGraceMs, drop, { background: true });
        return;
      }
      case 'terminate':
        this.#socket.terminate();
        return;
    }
  }

  async #authenticate(hello: Hello): Promise<void> {
    try {
      const verdict = await this.#host.authenticate(hello, this.#address);
      if ('refused' in verdict) {
        this.end(verdict.refused, verdict.code);
        return;
      }
      const { id, name } = hello.client;
      const { glance: glances = false } = hello;
      const { role } = verdict.welcome;
      this.#caller = { id, name, role, tokenId: verdict.tokenId, glances };
      this.#takes = hello.capabilities ?? [];
      this.#carryOut(this.#session.welcome(verdict.welcome, this.#clock.monotonic()));
      if (this.isWelcomed && this.isOpen) this.#host.welcomed(this);
    } catch (error) {
      this.end(this.#fault('authenticating', error), closeCodes.internal);
    }
  }

  #perform(request: CheckedRequest): void {
    try {
      const outcome = request.method === 'file.read' ? this.#inBulk(request) : this.#do(request);
      if (outcome instanceof Promise) {
        outcome
          .then((done) => this.#answer(request, done))
          .catch((error: unknown) => this.#refuse(request, error));
      } else this.#answer(request, outcome);
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  #answer(request: CheckedRequest, { result, payload }: Outcome): void {
    const { id } = request;
    this.#cancelled.delete(id);
    this.#carryOut(this.#session.answer(id, result, payload, this.#clock.monotonic()));
    if (request.method === 'run.follow') this.#followers.get(request.params.run)?.pump();
  }

  #refuse({ id, method }: CheckedRequest, error: unknown): void {
    this.#cancelled.delete(id);
    const told = error instanceof TeletrainError ? error : this.#fault(method, error);
    this.#carryOut(this.#session.fail(id, told.toJSON(), this.#clock.monotonic()));
  }

  #do(request: CheckedRequest): Outcome | Promise<Outcome> {
    return this.#host.perform(this.caller.id, request, this);
  }

  #inBulk(request: CheckedRequest): Promise<Outcome> {
    const outcome = this.#bulk.then(async () => {
      await this.#room();
      if (this.#cancelled.has(request.id) || this.#socket.readyState !== this.#socket.OPEN) {
        throw new TeletrainError('cancelled', 'The request was cancelled.', {
          hint: 'Ask again if the answer is wanted.',
        });
      }
      return await this.#do(request);
    });
    this.#bulk = outcome.catch(() => {});
    return outcome;
  }

  #room(): Promise<void> {
    if (this.#sender.hasRoom('bulk') || this.#socket.readyState !== this.#socket.OPEN)
      return Promise.resolve();
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  #send(kind: FrameKind, header: unknown, payload?: Uint8Array, priority?: Priority): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    let frame: Buffer;
    try {
      frame = encodeFrame(kind, header, payload);
    } catch (error) {
      const told =
        error instanceof TeletrainError ? error : this.#fault(`sending a ${kind}`, error);
      // An answer that cannot be sent is answered all the same.
      // Every header is an object; those of answers have an id.
      const { id } = header as { id?: string };
      frame = encodeFrame('error', { ...(id === undefined ? {} : { id }), error: told.toJSON() });
    }
    this.#sendFrame(priority ?? priorityOf(kind, frame.byteLength), frame);
  }

  #sendFrame(priority: Priority, frame: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#sender.send(priority, frame, () => releaseBytes(frame));
    if (this.#sender.waitingBytes <= mostUntaken || this.#isDeaf) return;
    this.#isDeaf = true;
    this.#socket.pause();
  }

  /** Something left: calls come before bulk, and files and tensors take turns. */
  #onRoom(): void {
    if (this.#isDeaf) {
      // It is alive, though nothing is heard of it.
      this.heard();
      this.#isDeaf = this.#sender.waitingBytes > mostUntaken / 2;
      if (!this.#isDeaf) this.#socket.resume();
    }
    for (const follower of this.#followers.values()) follower.pump();
    if (this.#sender.hasRoom('bulk')) {
      for (const wake of this.#waitingForRoom.splice(0)) wake();
    }
    this.#host.hasRoom(this);
  }

  #schedule(): void {
    const isGone = this.#socket.readyState === this.#socket.CLOSED;
    this.#alarm.set(isGone ? Number.POSITIVE_INFINITY : this.#session.nextTickAt);
  }

  #fault(what: string, error: unknown): TeletrainError {
    this.#host.onFault(what, error);
    return toldFailure(what, error);
  }

  #release(saidGoodbye: boolean): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
    for (const follower of this.#followers.values()) follower.close();
    this.#followers.clear();
    this.#host.closed(this, saidGoodbye);
    for (const wake of this.#waitingForRoom.splice(0)) wake();
  }
}

function toBytes(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Array.isArray(data) ? Buffer.concat(data) : data;
}
