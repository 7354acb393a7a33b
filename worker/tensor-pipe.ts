/**
 * What gateway and tensor engine write into the pipe between them, in both directions,
 * little-endian: u32 length of the payload, u32 number, 8 zero bytes, the payload. Bulk bytes go
 * this way and not over Node's child-process channel, which would serialize and copy them.
 */

const headBytes = 16;

export interface PipeMessage {
  /**
   * To the engine: which batch this is. From it: the last batch that it is done with.
   */
  readonly number: number;
  /** Starts at an address of its own, aligned for any type of number; the reader's to keep. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

export function pipeHead(number: number, payloadBytes: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(payloadBytes, 0);
  head.writeUInt32LE(number, 4);
  return head;
}

/** Puts messages together from the pieces in which they arrive. */
export class PipeReader {
  readonly #onMessage: (message: PipeMessage) => void;
  readonly #head = Buffer.alloc(headBytes);
  #headFilled = 0;
  #payload: Buffer<ArrayBuffer> | undefined;
  #filled = 0;

  constructor(onMessage: (message: PipeMessage) => void) {
    this.#onMessage = onMessage;
  }

  push(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#payload === undefined) {
        const part = piece.subarray(at, at + headBytes - this.#headFilled);
        this.#head.set(part, this.#headFilled);
        this.#headFilled += part.length;
        at += part.length;
        if (this.#headFilled < headBytes) return;
        this.#payload = Buffer.allocUnsafeSlow(this.#head.readUInt32LE(0));
        this.#filled = 0;
      }
      const part = piece.subarray(at, at + this.#payload.length - this.#filled);
      this.#payload.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#payload.length) return;
      const payload = this.#payload;
      this.#payload = undefined;
      this.#headFilled = 0;
      this.#onMessage({ number: this.#head.readUInt32LE(4), payload });
    }
  }
}
