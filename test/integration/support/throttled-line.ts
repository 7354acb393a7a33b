import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOnLoopback, webSocketUrlOf } from './loopback.ts';

/** A line to a worker that carries so many bytes a second and no more, and takes no more either. */
export class ThrottledLine implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(url: string, server: Server, sockets: Set<Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async to(workerUrl: string, bytesPerSecond: number): Promise<ThrottledLine> {
    const sockets = new Set<Socket>();
    const carry = (from: Socket, to: Socket): void => {
      sockets.add(from);
      from.on('data', (bytes) => {
        from.pause();
        to.write(bytes);
        setTimeout(() => from.resume(), (bytes.length / bytesPerSecond) * 1_000);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => {});
    };
    const server = createServer((near) => {
      const far = connect(Number(new URL(workerUrl).port), '127.0.0.1');
      carry(near, far);
      carry(far, near);
    });
    await listenOnLoopback(server);
    return new ThrottledLine(webSocketUrlOf(server), server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
