import { fillRoom, type RoomReader } from '../shared/fill-room.ts';

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
  /** Starts at a multiple of 16 in memory of its own, of which so much before it is free as was asked for. */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Gives that memory back; nobody looks at it any more. */
  readonly release: () => void;
}

export function pipeHead(number: number, payloadBytes: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(payloadBytes, 0);
  head.writeUInt32LE(number, 4);
  return head;
}

/**
 * Puts messages together from the bytes as they arrive. What is read goes straight into the message that
 * it belongs to, where it stays; the next message's head comes with the end of the one before it.
 */
export class PipeReader implements RoomReader {
  readonly #onMessage: (message: PipeMessage) => void;
  readonly #roomBefore: number;
  readonly #head = Buffer.alloc(headBytes);
  #headFilled = 0;
  /** Room before the payload, the payload, and the next head. */
  #memory: Buffer<ArrayBuffer> | undefined;
  #payloadBytes = 0;
  #filled = 0;

  /** @param roomBefore bytes before each payload that are the taker's; a multiple of 16. Default: 0. */
  constructor(onMessage: (message: PipeMessage) => void, roomBefore = 0) {
    this.#onMessage = onMessage;
    this.#roomBefore = roomBefore;
  }

  /** Where the next bytes are to be put; never empty. The same until `took` is called. */
  get room(): Uint8Array {
    if (this.#memory) return this.#memory.subarray(this.#roomBefore + this.#filled);
    return this.#head.subarray(this.#headFilled);
  }

  /** So many bytes were put where there was room. */
  took(length: number): void {
    if (this.#memory === undefined) this.#headFilled += length;
    else {
      this.#filled += length;
      if (this.#filled < this.#payloadBytes) return;
      this.#give(this.#memory);
    }
    if (this.#headFilled === headBytes) this.#begin();
  }

  /** Bytes that came another way. */
  push(piece: Uint8Array): void {
    fillRoom(this, piece);
  }

  #begin(): void {
    this.#payloadBytes = this.#head.readUInt32LE(0);
    this.#filled = 0;
    const bytes = this.#payloadBytes === 0 ? 0 : this.#roomBefore + this.#payloadBytes + headBytes;
    this.#memory = Buffer.allocUnsafeSlow(bytes);
    if (this.#payloadBytes === 0) this.#give(this.#memory);
  }

  #give(memory: Buffer<ArrayBuffer>): void {
    const { buffer } = memory;
    const isEmpty = this.#payloadBytes === 0;
    const payload = new Uint8Array(buffer, isEmpty ? 0 : this.#roomBefore, this.#payloadBytes);
    const number = this.#head.readUInt32LE(4);
    this.#headFilled = this.#filled - this.#payloadBytes;
    this.#head.set(memory.subarray(memory.length - headBytes).subarray(0, this.#headFilled));
    this.#memory = undefined;
    this.#onMessage({ number, payload, release: () => buffer.transfer(0) });
  }
}
