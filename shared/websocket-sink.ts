import type { Writable } from 'node:stream';
import type { FrameSink } from './frame-sender.ts';

/** Beyond this, what a copy takes is more than what it spares. */
const longestCopied = 4 * 1024;
/** FIN, no extension, binary. */
const wholeMessage = 0x82;

/**
 * Sends messages on a WebSocket. `ws` gives the system a frame's head and its payload as two pieces, which
 * takes as long as all else that it does for a short message; here they are put together first.
 */
export class WebSocketSink implements FrameSink {
  readonly #socket: FrameSink;
  readonly #line: Writable;
  readonly #keyBytes: 0 | 4;

  /**
   * @param socket of `ws`, open; it sends what is long.
   * @param line the stream beneath it.
   * @param options.masked as a client's frames are, with the key 0, which leaves bytes as they are.
   */
  constructor(socket: FrameSink, line: Writable, { masked }: { masked: boolean }) {
    this.#socket = socket;
    this.#line = line;
    this.#keyBytes = masked ? 4 : 0;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Uint8Array, sent: () => void): void {
    const { length } = message;
    if (length > longestCopied) {
      this.#socket.send(message, sent);
      return;
    }
    const lengthBytes = length < 126 ? 0 : 2;
    const headBytes = 2 + lengthBytes + this.#keyBytes;
    const frame = Buffer.allocUnsafe(headBytes + length);
    frame[0] = wholeMessage;
    frame[1] = (this.#keyBytes && 0x80) | (lengthBytes ? 126 : length);
    if (lengthBytes) frame.writeUInt16BE(length, 2);
    if (this.#keyBytes) frame.writeUInt32BE(0, headBytes - 4);
    frame.set(message, headBytes);
    this.#line.write(frame, sent);
  }
}
