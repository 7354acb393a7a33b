import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenOnLoopback, webSocketUrlOf } from './loopback.ts';

/**
 * A narrow line between clients and a worker: a TCP proxy through which each connection gets so many
 * bytes a second from the worker, and that takes no more than it passes on.
 */
export class NarrowLine implements AsyncDisposable {
  /** From the worker, for each connection. */
  bytesPerSecond: number;
  /** From the worker to all clients. */
  passed = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number, bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#server = createServer((client) => this.#join(client, target));
  }

  static async to(
    workerUrl: string,
    bytesPerSecond = Number.POSITIVE_INFINITY,
  ): Promise<NarrowLine> {
    const line = new NarrowLine(Number(new URL(workerUrl).port), bytesPerSecond);
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
    client.pipe(worker);
    void this.#pass(worker, client);
  }

  async #pass(worker: Socket, client: Socket): Promise<void> {
    try {
      for await (const bytes of worker) {
        this.passed += bytes.length;
        if (!client.write(bytes)) await once(client, 'drain');
        await sleep((1000 * bytes.length) / this.bytesPerSecond);
      }
    } catch {
      // One of them broke off; the other one is told by `close`.
    }
    client.end();
  }
}
