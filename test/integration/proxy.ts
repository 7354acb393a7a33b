import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { decodeFrame, type Frame } from '../../shared/frames.ts';
import { listenOnLoopback, webSocketUrlOf } from './support/loopback.ts';

/**
 * A bad line between a client and a worker: a TCP proxy that breaks, holds still, comes back, and
 * spoils a byte, on command. It also reads along what the client asks.
 */
export class BadLine implements AsyncDisposable {
  /** Where the worker is now. */
  target: number;
  /** New connections are dropped at once. */
  isDown = false;
  /** Bytes are taken and not passed on, in neither direction: to both ends the line seems open. */
  isHeld = false;
  /** Frames that came from the client, on any connection. */
  readonly frames: Frame[] = [];
  connections = 0;
  /** Of the n-th connection: bytes from the worker after which it is cut. */
  cutEach: ((connection: number) => number) | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cutAfter = Number.POSITIVE_INFINITY;
  #spoilAfter = Number.POSITIVE_INFINITY;

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  static async to(workerUrl: string): Promise<BadLine> {
    const line = new BadLine(Number(new URL(workerUrl).port));
    await listenOnLoopback(line.#server);
    return line;
  }

  get url(): string {
    return webSocketUrlOf(this.#server);
  }

  /** Offsets asked for by file.read, in order, of the files whose name fits. */
  reads(file: string): number[] {
    return this.frames.flatMap(({ kind, header }) => {
      if (kind !== 'request') return [];
      const { method, params } = header as { method: string; params: Record<string, unknown> };
      return method === 'file.read' && params.file === file ? [Number(params.offset)] : [];
    });
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Cuts once so many more bytes came from the worker, in the middle of a message as it may be. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes;
  }

  /** Changes one byte that many bytes from now, on the way to the client. */
  spoilAfter(bytes: number): void {
    this.#spoilAfter = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    if (this.isDown) {
      client.resetAndDestroy();
      return;
    }
    this.connections += 1;
    if (this.cutEach) this.#cutAfter = this.cutEach(this.connections);
    const worker = connect(this.target, '127.0.0.1');
    const reader = new ClientStream((frame) => this.frames.push(frame));
    for (const socket of [client, worker]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (socket === client) worker.destroy();
        else client.end();
      });
    }
    client.on('data', (bytes) => {
      if (this.isHeld) return;
      reader.read(bytes);
      worker.write(bytes);
    });
    worker.on('data', (bytes) => {
      if (this.isHeld) return;
      this.#passOn(bytes, client, worker);
    });
  }

  #passOn(bytes: Buffer, client: Socket, worker: Socket): void {
    if (this.#spoilAfter < bytes.length) {
      bytes[this.#spoilAfter] = (bytes[this.#spoilAfter] ?? 0) ^ 1;
      this.#spoilAfter = Number.POSITIVE_INFINITY;
    }
    this.#spoilAfter -= bytes.length;
    if (this.#cutAfter >= bytes.length) {
      this.#cutAfter -= bytes.length;
      client.write(bytes);
      return;
    }
    const beginning = bytes.subarray(0, this.#cutAfter);
    this.#cutAfter = Number.POSITIVE_INFINITY;
    // Ended, not reset: a reset would make the client's system forget what it has not read yet.
    client.end(beginning);
    worker.resetAndDestroy();
  }
}

/** Reads teletrain frames out of what a WebSocket client sends (RFC 6455, section 5.2: its frames are masked). */
class ClientStream {
  readonly #onFrame: (frame: Frame) => void;
  #rest: Buffer = Buffer.alloc(0);
  #isPastHandshake = false;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#isPastHandshake) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#rest = this.#rest.subarray(end + 4);
      this.#isPastHandshake = true;
    }
    while (this.#takeOne());
  }

  #takeOne(): boolean {
    const bytes = this.#rest;
    if (bytes.length < 2) return false;
    const opcode = (bytes[0] ?? 0) & 15;
    let length = (bytes[1] ?? 0) & 127;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return false;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return false;
      length = Number(bytes.readBigUInt64BE(2));
      at = 10;
    }
    if (bytes.length < at + 4 + length) return false;
    const mask = bytes.subarray(at, at + 4);
    const data = Buffer.from(bytes.subarray(at + 4, at + 4 + length));
    for (let index = 0; index < length; index += 1) {
      data[index] = (data[index] ?? 0) ^ (mask[index % 4] ?? 0);
    }
    this.#rest = bytes.subarray(at + 4 + length);
    if (opcode === 2) this.#onFrame(decodeFrame(data));
    return true;
  }
}
