import { Alarm } from '../../shared/alarm.ts';
import { type Clock, sleep, systemClock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { type FrameSink, priorityOf } from '../../shared/frame-sender.ts';
import { encodeFrameInPlace } from '../../shared/frames.ts';
import { closeCodes, limits } from '../../shared/limits.ts';
import type { ControlState, Hello, ResultsHeader } from '../../shared/messages.ts';
import { releaseBytes } from '../../shared/release-bytes.ts';
import type { ConnectionHost } from './connection-host.ts';
import type { Caller } from './control-keeper.ts';
import { Follower, type FollowerOptions } from './follow.ts';
import { type MessageSocket, toBytes } from './message-socket.ts';
import type { AskingConnection, Outcome } from './outcome.ts';
import { Outgoing } from './outgoing.ts';
import type { Run } from './run.ts';
import { type CheckedRequest, Session, type SessionStep } from './session.ts';
import { toldFailure } from './told-failure.ts';

export interface ConnectionOptions {
  /** Of the client, as far as it can be known. */
  readonly address: string;
  readonly host: ConnectionHost;
  readonly clock?: Clock;
  /** What sends in place of the socket itself. */
  readonly sink?: FrameSink;
}

const closeGraceMs = 2_000;

/** One socket: carries out what its session says, and lets nothing pile up in memory. */
export class Connection implements AskingConnection {
  readonly #socket: MessageSocket;
  readonly #address: string;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #outgoing: Outgoing;
  readonly #clock: Clock;
  readonly #followers = new Map<string, Follower>();
  readonly #cancelled = new Set<string>();
  /** Chunks of files are read and sent one after the other, each when there is room for it. */
  #bulk: Promise<unknown> = Promise.resolve();
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
    this.#outgoing = new Outgoing(socket, {
      sink,
      sendEvents: () => this.#sendEvents(),
      sendResults: () => host.hasRoom(this),
      onTaken: () => this.heard(),
      fault: (what, error) => this.#fault(what, error),
    });
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
    this.#outgoing.send('control', { control });
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
      hasRoom: () => this.#outgoing.hasRoom('calls'),
      isIdle: () => this.#outgoing.waitingBytes === 0,
      send: (frame: Uint8Array) => {
        this.#session.noteSent(this.#clock.monotonic());
        this.#outgoing.sendFrame('calls', frame);
      },
    };
    const onError = (error: unknown) => {
      const told = error instanceof TeletrainError ? error : this.#fault('following a run', error);
      this.#outgoing.send('error', { error: told.toJSON() });
    };
    const follower = new Follower(run, outlet, { fromSeq, drawings, onError });
    this.#followers.set(run.id, follower);
  }

  hasRoom(payloadBytes: number): boolean {
    return this.#outgoing.hasRoom(priorityOf('results', payloadBytes));
  }

  sendResults(header: ResultsHeader, payload: Uint8Array, sent?: () => void): void {
    this.#session.noteSent(this.#clock.monotonic());
    const priority = header.ended ? 'control' : priorityOf('results', payload.byteLength);
    if (sent === undefined) this.#outgoing.send('results', header, payload, priority);
    else this.#outgoing.sendFrame(priority, encodeFrameInPlace('results', header, payload), sent);
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
        this.#outgoing.waitingBytes === 0);
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
        this.#outgoing.send(step.kind, step.header, step.payload);
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
    // What these asked for comes after their answer.
    if (request.method === 'run.follow') this.#followers.get(request.params.run)?.pump();
    if (request.method === 'tensor.open') this.#host.hasRoom(this);
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
      await this.#outgoing.room();
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

  #sendEvents(): void {
    for (const follower of this.#followers.values()) follower.pump();
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
    this.#outgoing.end();
  }
}
