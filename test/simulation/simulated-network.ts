import type { OpenSocket, SocketListener } from '../../client/session/socket.ts';
import { FrameSender } from '../../shared/frame-sender.ts';
import type { MessageSocket } from '../../worker/gateway/message-socket.ts';
import type { Chance } from './chance.ts';
import type { Machine, Program } from './machine.ts';

const handshakeMs = 10_000;
/** What a system's own buffers take of what a program sends to nobody, in bytes. */
const systemBuffer = 128 * 1024;
/** After so long without an answer the system gives a connection up. */
const retransmissionMs = 15 * 60_000;
const goodbyeMs = 2_000;
const closeTimeoutMs = 30_000;

export interface NetworkTrouble {
  /** Connections that are there hear nothing in these directions; new ones are not made. */
  readonly silent?: 'both' | 'to-worker' | 'to-client';
  /** Nobody listens, as far as the client can tell. */
  readonly refused?: boolean;
  /** How many times slower it is. */
  readonly slowness?: number;
}

/** Called with every message that reaches a program. */
export type OnDelivered = (to: 'worker' | 'client', line: Line, message: Uint8Array) => void;

/** Who is reached over a route. */
export interface WorkerEnd {
  readonly machine: Machine;
  /** What a client opens. */
  readonly url: string;
  /** How many tensor engines crashed there. */
  readonly tensorCrashes: number;
}

/** What a connection is for: a client's runs, or its program with tensors. */
export type Purpose = 'runs' | 'tensors';

/** The way between one client's machine and the worker's: all lines over it share its troubles. */
export class Route {
  readonly client: Machine;
  readonly end: WorkerEnd;
  readonly chance: Chance;
  readonly lines = new Set<Line>();
  readonly onDelivered: OnDelivered;
  /** Takes a line where a worker listens now. */
  accept: () => ((socket: MessageSocket, line: Line) => void) | undefined = () => undefined;
  #trouble: NetworkTrouble = {};

  constructor(client: Machine, worker: WorkerEnd, chance: Chance, onDelivered: OnDelivered) {
    this.client = client;
    this.end = worker;
    this.chance = chance;
    this.onDelivered = onDelivered;
  }

  get worker(): Machine {
    return this.end.machine;
  }

  get trouble(): NetworkTrouble {
    return this.#trouble;
  }

  set trouble(trouble: NetworkTrouble) {
    this.#trouble = trouble;
    for (const line of this.lines) line.pump();
  }

  /** Milliseconds that a message is on its way. */
  latency(): number {
    return this.chance.spread(1, 200) * (this.#trouble.slowness ?? 1);
  }

  isSilent(to: 'worker' | 'client'): boolean {
    const { silent } = this.#trouble;
    return silent === 'both' || silent === `to-${to}`;
  }

  /** How a program on the client's machine opens a socket. */
  opener(program: Program, purpose: Purpose): OpenSocket {
    return (_url, listener) => {
      const line = new Line(this, program, purpose, listener);
      program.happen(this.latency(), () => {
        if (line.isOver) return;
        if (this.#trouble.silent) {
          program.happen(handshakeMs, () => line.end('client', 1006, 'it does not answer'));
          return;
        }
        const take = this.#trouble.refused ? undefined : this.accept();
        if (take) line.open(take);
        else line.end('client', 1006, 'nothing listens there');
      });
      return line.clientSocket;
    };
  }

  breakAll(): void {
    for (const line of this.lines) line.break();
  }
}

interface Waiting {
  readonly message: Uint8Array | { readonly code: number; readonly reason: string };
  readonly bytes: number;
  readonly sent: () => void;
}

interface Direction {
  readonly to: 'worker' | 'client';
  /** In the program's own memory. */
  readonly waiting: Waiting[];
  waitingBytes: number;
  /** In the system's buffers and on the way. */
  systemBytes: number;
  readonly underway: Waiting[];
  /** How many of those underway wait until the way is open. */
  held: number;
  lastArrival: number;
  isMoving: boolean;
  /** What becomes of the next message. */
  spoil: 'split' | 'truncated' | undefined;
}

const direction = (to: Direction['to']): Direction => ({
  to,
  waiting: [],
  waitingBytes: 0,
  systemBytes: 0,
  underway: [],
  held: 0,
  lastArrival: 0,
  isMoving: false,
  spoil: undefined,
});

/** One WebSocket: messages in order in both directions, until it breaks or is closed. */
export class Line {
  readonly #route: Route;
  readonly #program: Program;
  readonly #listener: SocketListener;
  readonly #toWorker = direction('worker');
  readonly #toClient = direction('client');
  readonly clientSocket: ReturnType<OpenSocket>;
  readonly purpose: Purpose;
  #worker: Program | undefined;
  #workerSocket: WorkerSocket | undefined;
  #isBroken = false;
  #isPaused = false;
  #isOpenAtClient = false;
  #clientHasEnded = false;
  #workerHasEnded = false;

  constructor(route: Route, program: Program, purpose: Purpose, listener: SocketListener) {
    this.purpose = purpose;
    this.#route = route;
    this.#program = program;
    this.#listener = listener;
    route.lines.add(this);
    const { system } = program;
    const sink = {
      bufferedAmount: 0,
      send: (message: Uint8Array, sent: () => void) => this.#send(this.#toWorker, message, sent),
    };
    Object.defineProperty(sink, 'bufferedAmount', { get: () => this.#toWorker.waitingBytes });
    const sender = new FrameSender(sink, () => listener.drained());
    this.clientSocket = {
      send: (priority, message, sent) => {
        if (this.#isOpenAtClient) sender.send(priority, message, sent);
      },
      hasRoom: (priority) => sender.hasRoom(priority),
      pause: () => {
        this.#isPaused = true;
      },
      resume: () => {
        this.#isPaused = false;
        this.pump();
      },
      close: (code, reason) => {
        this.#isOpenAtClient = false;
        if (!this.#worker) return this.#drop('client');
        this.#send(this.#toWorker, { code, reason }, () => {});
        system.clock.after(goodbyeMs, () => this.#drop('client'));
      },
      terminate: () => this.#drop('client'),
    };
  }

  /** The client's program reads nothing now, of its own will. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isOver(): boolean {
    return this.#clientHasEnded;
  }

  get program(): Program {
    return this.#program;
  }

  /** Bytes that wait in each program's memory. */
  get memory(): { client: number; worker: number } {
    return { client: this.#toWorker.waitingBytes, worker: this.#toClient.waitingBytes };
  }

  open(take: (socket: MessageSocket, line: Line) => void): void {
    this.#worker = this.#route.worker.program;
    const socket = new WorkerSocket(this);
    this.#workerSocket = socket;
    take(socket, this);
    this.#program.happen(this.#route.latency(), () => {
      if (this.#clientHasEnded || this.#isBroken) return;
      this.#isOpenAtClient = true;
      this.#listener.opened();
    });
  }

  /** What a middlebox does to the next message. */
  spoil(to: 'worker' | 'client', how: 'split' | 'truncated'): void {
    (to === 'worker' ? this.#toWorker : this.#toClient).spoil = how;
  }

  /** The connection is lost; each end finds out when it does. */
  break(isHalfOpen = false): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    const { chance } = this.#route;
    for (const side of ['client', 'worker'] as const) {
      const soon = isHalfOpen && chance.happens(0.5) ? retransmissionMs : this.#route.latency();
      this.#programOf(side)?.happen(soon, () => this.end(side, 1006, 'the connection was reset'));
    }
  }

  /** One side is told that it is over. */
  end(side: 'client' | 'worker', code: number, reason: string): void {
    if (side === 'client') {
      if (this.#clientHasEnded) return;
      this.#clientHasEnded = true;
      this.#isOpenAtClient = false;
      this.#listener.closed(code, reason);
    } else {
      if (this.#workerHasEnded) return;
      this.#workerHasEnded = true;
      this.#workerSocket?.tellClosed(code);
    }
    if (this.#clientHasEnded && (this.#workerHasEnded || !this.#worker)) {
      this.#route.lines.delete(this);
    }
  }

  /** A program was killed, or its machine lost its power: then the other side hears nothing. */
  programEnded(program: Program, isSilent: boolean): void {
    const side =
      program === this.#program ? 'client' : program === this.#worker ? 'worker' : undefined;
    if (!side) return;
    if (side === 'client') this.#clientHasEnded = true;
    else this.#workerHasEnded = true;
    this.#isBroken = true;
    const other = side === 'client' ? 'worker' : 'client';
    const delay = isSilent ? retransmissionMs : this.#route.latency();
    this.#programOf(other)?.happen(delay, () => this.end(other, 1006, 'the connection was reset'));
    if (!this.#programOf(other)) this.#route.lines.delete(this);
  }

  send(message: Uint8Array, sent: () => void): void {
    this.#send(this.#toClient, message, sent);
  }

  get waitingAtWorker(): number {
    return this.#toClient.waitingBytes;
  }

  closeFromWorker(code: number, reason: string): void {
    this.#send(this.#toClient, { code, reason }, () => {});
    this.#worker?.system.clock.after(closeTimeoutMs, () => this.#drop('worker'));
  }

  terminateFromWorker(): void {
    this.#drop('worker');
  }

  /** What held messages up may be over. */
  pump(): void {
    for (const way of [this.#toWorker, this.#toClient]) {
      const { held } = way;
      way.held = 0;
      for (let count = 0; count < held; count += 1) this.#travel(way);
    }
  }

  #programOf(side: 'client' | 'worker'): Program | undefined {
    return side === 'client' ? this.#program : this.#worker;
  }

  #drop(side: 'client' | 'worker'): void {
    const other = side === 'client' ? 'worker' : 'client';
    const wasBroken = this.#isBroken;
    this.#isBroken = true;
    this.#programOf(side)?.happen(0, () => this.end(side, 1006, ''));
    if (wasBroken) return;
    // Where nothing gets through, the other side is not told either.
    const delay = this.#route.isSilent(other) ? retransmissionMs : this.#route.latency();
    this.#programOf(other)?.happen(delay, () => this.end(other, 1006, 'the connection was reset'));
  }

  #send(way: Direction, message: Waiting['message'], sent: () => void): void {
    const bytes = message instanceof Uint8Array ? message.length : 0;
    way.waiting.push({ message, bytes, sent });
    way.waitingBytes += bytes;
    this.#move(way);
  }

  /** From the program's memory into the system's, one message after the other. */
  #move(way: Direction): void {
    const next = way.waiting[0];
    if (way.isMoving || !next || way.systemBytes >= systemBuffer) return;
    const sender = this.#programOf(way.to === 'client' ? 'worker' : 'client');
    if (!sender || sender.hasEnded) return;
    way.isMoving = true;
    // Some 10 MB/s.
    const milliseconds = (next.bytes / 10_000) * (this.#route.trouble.slowness ?? 1);
    sender.happen(milliseconds, () => {
      way.isMoving = false;
      way.waiting.shift();
      way.waitingBytes -= next.bytes;
      way.systemBytes += next.bytes;
      const { message } = next;
      // Once it is sent, its memory is the sender's again.
      const copy = message instanceof Uint8Array ? Buffer.from(message) : message;
      way.underway.push({ ...next, message: copy });
      this.#travel(way);
      if (!this.#isBroken) next.sent();
      this.#move(way);
    });
  }

  /** One message more arrives in a while, or waits until the way is open. */
  #travel(way: Direction): void {
    if (this.#isHeld(way)) {
      way.held += 1;
      return;
    }
    const { now } = this.#route.client.world;
    way.lastArrival = Math.max(way.lastArrival, now + this.#route.latency());
    this.#programOf(way.to)?.happen(way.lastArrival - now, () => {
      if (this.#isHeld(way)) {
        way.held += 1;
        return;
      }
      // Whichever it was, the oldest arrives first.
      const arrived = way.underway.shift();
      if (!arrived) return;
      way.systemBytes -= arrived.bytes;
      this.#move(way);
      if (!this.#isBroken) this.#deliver(way, arrived.message);
    });
  }

  #isHeld(way: Direction): boolean {
    const isUnread = way === this.#toClient && this.#isPaused;
    return (this.#route.isSilent(way.to) || isUnread) && !this.#isBroken;
  }

  #deliver(way: Direction, message: Waiting['message']): void {
    const hasEnded = way.to === 'client' ? this.#clientHasEnded : this.#workerHasEnded;
    if (hasEnded) return;
    if (!(message instanceof Uint8Array)) {
      this.#isBroken = true;
      this.end(way.to, message.code, message.reason);
      const other = way.to === 'client' ? 'worker' : 'client';
      const tell = (): void => this.end(other, message.code, message.reason);
      this.#programOf(other)?.happen(this.#route.latency(), tell);
      return;
    }
    const { spoil } = way;
    way.spoil = undefined;
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const half = Math.floor(bytes.length / 2);
    const parts = spoil === 'split' ? [bytes.subarray(0, half), bytes.subarray(half)] : [];
    if (spoil === 'truncated') parts.push(bytes.subarray(0, half));
    if (!spoil) parts.push(bytes);
    for (const part of parts) {
      this.#route.onDelivered(way.to, this, part);
      if (way.to === 'client') this.#listener.received(part);
      else this.#workerSocket?.tellMessage(part);
    }
  }
}

type OnMessage = (data: Buffer, isBinary: boolean) => void;

/** The worker's end of a line, as `ws` would show it. */
class WorkerSocket implements MessageSocket {
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readyState = 1;
  readonly #line: Line;
  #onMessage: OnMessage = () => {};
  #onClose: ((code: number) => void)[] = [];
  #isPaused = false;
  #held: Buffer[] = [];

  constructor(line: Line) {
    this.#line = line;
  }

  get bufferedAmount(): number {
    return this.#line.waitingAtWorker;
  }

  send(message: Uint8Array, sent: () => void): void {
    this.#line.send(message, sent);
  }

  close(code: number, reason: string): void {
    if (this.readyState !== this.OPEN) return;
    this.readyState = 2;
    this.#line.closeFromWorker(code, reason);
  }

  terminate(): void {
    if (this.readyState === this.CLOSED) return;
    this.readyState = 2;
    this.#line.terminateFromWorker();
  }

  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): void;
  on(event: 'close', listener: (code: number) => void): void;
  on(event: 'error', listener: () => void): void;
  on(
    event: 'message' | 'close' | 'error',
    listener: (either: never, isBinary: boolean) => void,
  ): void {
    // By the declarations above, each event has its own listener's form.
    if (event === 'message') this.#onMessage = listener as OnMessage;
    if (event === 'close') this.#onClose.push(listener as (code: number) => void);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const message of this.#held.splice(0)) this.tellMessage(message);
  }

  once(_event: 'close', listener: () => void): void {
    this.#onClose.push(listener);
  }

  tellMessage(message: Buffer): void {
    if (this.#isPaused) this.#held.push(message);
    else if (this.readyState === this.OPEN) this.#onMessage(message, true);
  }

  tellClosed(code: number): void {
    this.readyState = this.CLOSED;
    for (const listener of this.#onClose.splice(0)) listener(code);
  }
}
