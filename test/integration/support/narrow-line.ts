import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenOnLoopback, webSocketUrlOf } from './loopback.ts';

/** Bytes a second of each connection; without an entry as many as there are. */
export interface Widths {
  readonly toClient?: number;
  readonly toWorker?: number;
}

/**
 * A narrow line between clients and a worker: a TCP proxy through which each connection gets so many
 * bytes a second in each direction, and that takes no more than it passes on.
 */
export class NarrowLine implements AsyncDisposable {
  /** From now on. */
  widths: Widths;
  /** From the worker to all clients. */
  passed = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number, widths: Widths) {
    this.widths = widths;
    this.#server = createServer((client) => this.#join(client, target));
  }

  static async to(workerUrl: string, widths: Widths = {}): Promise<NarrowLine> {
    const line = new NarrowLine(Number(new URL(workerUrl).port), widths);
    await listenOnLoopback(line.#server);
    return line;
  }

  get url(): string {
    return webSocketUrlOf(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, target: number): void {
    const worker = connect({ port: target, host: '127.0.0.1' });
    for (const socket of [client, worker]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        worker.destroy();
      });
    }
    void this.#pass(client, worker, 'toWorker');
    void this.#pass(worker, client, 'toClient');
  }

  async #pass(from: Socket, to: Socket, direction: keyof Widths): Promise<void> {
    try {
      for await (const bytes of from) {
        if (direction === 'toClient') this.passed += bytes.length;
        if (!to.write(bytes)) await once(to, 'drain');
        const width = this.widths[direction];
        if (width !== undefined) await sleep((1000 * bytes.length) / width);
      }
    } catch {
      // One of them broke off; the other one is told by `close`.
    }
    to.end();
  }
}
