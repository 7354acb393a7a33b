import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../../worker/engine/random.ts';
import { listenOnLoopback, portOf } from '../integration/support/loopback.ts';
import { Lane, type LineConditions } from './lane.ts';

export type Direction = 'toWorker' | 'toClient';

/** How a connection ends: by a reset, or in order as a program that closes its socket does it. */
export type Cut = 'reset' | 'end';

export interface FaultProxyOptions {
  readonly random: Random;
  /** What the line is like in each direction. Default: nothing is done to the bytes. */
  readonly conditions?: Partial<Record<Direction, LineConditions>>;
}

/**
 * A TCP proxy between a client and a worker that does what bad lines do. It knows nothing of
 * WebSockets, so every fault hits wherever the bytes happen to be: in a handshake, a frame's head, a
 * chunk of a file.
 *
 * - `conditions` hold for every connection from now on, those that are open too: delay, jitter,
 *   throttle, fragmentation, each direction by itself (lane.ts).
 * - `cut` ends the connections there are, by a reset or in order; `cutAfter` does so once so many
 *   more bytes have gone in one direction. What was on the way is lost by a reset and delivered by an
 *   end.
 * - `goDown` cuts them and refuses new ones until `comeUp`.
 * - `vanish` makes every connection half-open: what either end sends is taken and thrown away, its
 *   FIN too, and so is what comes on new connections, which are accepted. `reappear` lets new
 *   connections through; those that vanished are `forgotten` (answered by a reset, as by a router that
 *   lost its table) or stay `silent` for ever, for the ends to find out by themselves.
 */
export class FaultProxy implements AsyncDisposable {
  /** Port on 127.0.0.1 where the worker is now. Undefined: nobody listens there. */
  target: number | undefined;
  /** Connections that were accepted. */
  connections = 0;
  readonly #server: Server;
  readonly #random: Random;
  readonly #calls = new Set<Call>();
  readonly #watchers = new Set<{ direction: Direction; passed: (bytes: number) => void }>();
  #conditions: Record<Direction, LineConditions>;
  #isDown = false;
  #isVanished = false;
  #port = 0;

  private constructor({ random, conditions = {} }: FaultProxyOptions) {
    this.#random = random;
    this.#conditions = { toWorker: {}, toClient: {}, ...conditions };
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    );
  }

  static async listen(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await listenOnLoopback(proxy.#server);
    proxy.#port = portOf(proxy.#server);
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  get conditions(): Readonly<Record<Direction, LineConditions>> {
    return this.#conditions;
  }

  set conditions(conditions: Record<Direction, LineConditions>) {
    this.#conditions = conditions;
    for (const call of this.#calls) call.setConditions(conditions);
  }

  cut(how: Cut): void {
    for (const call of this.#calls) call.cut(how);
  }

  /** Of all connections together: of those there are and of those to come. */
  cutAfter(direction: Direction, bytes: number, how: Cut): void {
    let left = bytes;
    const stop = this.#watch(direction, (passed) => {
      left -= passed;
      if (left > 0) return;
      stop();
      this.cut(how);
    });
  }

  goDown(): void {
    this.#isDown = true;
    this.cut('reset');
  }

  comeUp(): void {
    this.#isDown = false;
  }

  vanish(): void {
    this.#isVanished = true;
    for (const call of this.#calls) call.vanish();
  }

  reappear(what: 'forgotten' | 'silent'): void {
    this.#isVanished = false;
    if (what === 'silent') return;
    for (const call of this.#calls) if (call.isVanished) call.cut('reset');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut('reset');
    this.#server.close();
    await once(this.#server, 'close');
  }

  #watch(direction: Direction, passed: (bytes: number) => void): () => void {
    const watcher = { direction, passed };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #accept(client: Socket): void {
    this.connections += 1;
    if (this.#isDown || (this.target === undefined && !this.#isVanished)) {
      client.resetAndDestroy();
      return;
    }
    const call = new Call(client, this.#isVanished ? undefined : this.target, {
      random: this.#random,
      conditions: this.#conditions,
      onPassed: (direction, bytes) => {
        for (const watcher of [...this.#watchers]) {
          if (watcher.direction === direction) watcher.passed(bytes);
        }
      },
      onClosed: () => this.#calls.delete(call),
    });
    this.#calls.add(call);
  }
}

interface CallOptions {
  readonly random: Random;
  readonly conditions: Readonly<Record<Direction, LineConditions>>;
  readonly onPassed: (direction: Direction, bytes: number) => void;
  readonly onClosed: () => void;
}

/** One connection through the proxy: a socket to each end and a lane in each direction. */
class Call {
  readonly #sockets: readonly Socket[];
  readonly #lanes: Readonly<Record<Direction, Lane>> | undefined;
  readonly #onClosed: () => void;
  isVanished = false;

  /** @param target The worker's port; none for a connection that is half-open from its beginning. */
  constructor(client: Socket, target: number | undefined, options: CallOptions) {
    this.#onClosed = options.onClosed;
    if (target === undefined) {
      this.#sockets = [client];
      this.#tend();
      client.resume();
      this.isVanished = true;
      return;
    }
    const worker = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#sockets = [client, worker];
    this.#tend();
    const lane = (direction: Direction, from: Socket, to: Socket): Lane =>
      new Lane(from, to, {
        random: options.random,
        conditions: options.conditions[direction],
        onPassed: (bytes) => options.onPassed(direction, bytes),
      });
    this.#lanes = {
      toWorker: lane('toWorker', client, worker),
      toClient: lane('toClient', worker, client),
    };
  }

  setConditions(conditions: Readonly<Record<Direction, LineConditions>>): void {
    if (!this.#lanes) return;
    this.#lanes.toWorker.conditions = conditions.toWorker;
    this.#lanes.toClient.conditions = conditions.toClient;
  }

  cut(how: Cut): void {
    if (how === 'end' && this.#lanes && !this.isVanished) {
      this.#lanes.toWorker.end();
      this.#lanes.toClient.end();
      return;
    }
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  vanish(): void {
    this.isVanished = true;
    this.#lanes?.toWorker.vanish();
    this.#lanes?.toClient.vanish();
  }

  /** Where one end is gone for good, the other is told so, unless the line has vanished. */
  #tend(): void {
    for (const socket of this.#sockets) {
      socket.on('error', () => {});
      socket.on('close', (hadError) => {
        const others = this.#sockets.filter((other) => !other.destroyed);
        if (others.length === 0) this.#onClosed();
        else if (hadError && !this.isVanished) for (const other of others) other.resetAndDestroy();
      });
    }
  }
}
