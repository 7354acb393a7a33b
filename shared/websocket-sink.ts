import type { Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { FrameSink } from './frame-sender.ts';

/** Beyond this, what a copy takes is more than what it spares. */
const longestCopied = 4 * 1024;
/** FIN, no extension, binary. */
const wholeMessage = 0x82;
const nothing = Buffer.alloc(0);

/**
 * Sends messages on a WebSocket. `ws` gives the system a frame's head and its payload as two pieces, and
 * tells in a later turn that they left, which takes as long as all else that it does for a short message.
 * Here the two are put together first, and nothing is told later where the system took them at once.
 */
export class WebSocketSink implements FrameSink {
  readonly #socket: FrameSink;
  readonly #line: Writable;
  readonly #keyBytes: 0 | 4;
  /** TLS tells of everything later. */
  readonly #mayLeaveAtOnce: boolean;

  /**
   * @param socket of `ws`, open; it sends what is long.
   * @param line the stream beneath it.
   * @param options.masked as a client's frames are, with the key 0, which leaves bytes as they are.
   */
  constructor(socket: FrameSink, line: Writable, { masked }: { masked: boolean }) {
    this.#socket = socket;
    this.#line = line;
    this.#keyBytes = masked ? 4 : 0;
    this.#mayLeaveAtOnce = !(line instanceof TLSSocket);
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Uint8Array, left: () => void): boolean {
    if (message.length > longestCopied) {
      this.#socket.send(message, left);
      return false;
    }
    const frame = this.#frameOf(message);
    if (!this.#mayLeaveAtOnce) {
      this.#line.write(frame, left);
      return false;
    }
    this.#line.write(frame);
    if (this.#line.writableLength === 0) return true;
    // The system took a part or nothing of it: what is written behind it tells when it left.
    this.#line.write(nothing, left);
    return false;
  }

  /** RFC 6455, 5.2. */
  #frameOf(message: Uint8Array): Buffer {
    const { length } = message;
    const lengthBytes = length < 126 ? 0 : 2;
    const headBytes = 2 + lengthBytes + this.#keyBytes;
    const frame = Buffer.allocUnsafe(headBytes + length);
    frame[0] = wholeMessage;
    frame[1] = (this.#keyBytes && 0x80) | (lengthBytes ? 126 : length);
    if (lengthBytes) frame.writeUInt16BE(length, 2);
    if (this.#keyBytes) frame.writeUInt32BE(0, headBytes - 4);
    frame.set(message, headBytes);
    return frame;
  }
}
