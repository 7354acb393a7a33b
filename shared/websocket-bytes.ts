import { fillRoom, type RoomReader } from './fill-room.ts';

/**
 * Bytes of a WebSocket on their way from the system to whoever reads its frames, in memory that is
 * ours. Node allocates 64 KiB for every read and leaves them to be collected, and a reader of frames
 * then copies these pieces into a message: of a large tensor that takes longer than all else. Here
 * the payload of a long frame is read where it stays, and given whole; what is short goes through one
 * piece of memory after the other. A short message that came as one whole frame need not pass the reader
 * at all: to find its ends takes the reader longer than all else that is done for a small request.
 *
 * Nothing is judged here: each byte is given on, in its order, and the reader refuses what is no
 * WebSocket. Only the payload of a frame that does not come to its end is kept back, as it is there.
 */

/** Shorter payloads are given as they come. */
const longPayload = 16 * 1024;
/** For all that is no long payload; then the next one, since what was given may be kept. */
const sharedBytes = 64 * 1024;
/** Less room is not worth a read. */
const leastRoom = 4 * 1024;

/** FIN, no extension, binary. */
const wholeMessage = 0x82;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const headEnd = [carriageReturn, lineFeed, carriageReturn, lineFeed];
/** `HTTP/1.1 101`: how far an answer is looked at. */
const statusBytes = 12;

type Expects =
  /** The head of the answer to an upgrade, on a client's side. */
  | { readonly what: 'head'; status: string; matched: number }
  | { readonly what: 'frame' }
  /** The rest of a short payload. */
  | { readonly what: 'short'; left: number }
  | { readonly what: 'long'; readonly payload: Uint8Array; filled: number }
  /** No frames, or one that is too long: the reader has its reasons to end this. */
  | { readonly what: 'anything' };

/** Who may be given messages in place of the bytes that they are. */
export interface MessageTaker {
  /** Whether it takes one now: nothing that came before is still on its way through the reader. */
  readonly isReady: boolean;
  take(message: Buffer): void;
}

export interface WebSocketBytesOptions {
  /** A server's answer to the upgrade comes before the first frame. Default: false. */
  readonly answered?: boolean;
  /** The longest payload for which memory is taken: the most that the reader accepts. */
  readonly longestPayload: () => number;
  /** Takes short messages. Default: nobody does. */
  readonly messages?: MessageTaker;
}

export class WebSocketBytes implements RoomReader {
  readonly #give: (bytes: Uint8Array) => boolean;
  readonly #longestPayload: () => number;
  /** A server's frames come without a mask, a client's with one. */
  readonly #maskBit: number;
  /** Until there was a frame after which only the reader knows what may follow. */
  #messages: MessageTaker | undefined;
  #expects: Expects;
  #shared = Buffer.allocUnsafeSlow(sharedBytes);
  /** In the shared memory: what was given ends here, */
  #given = 0;
  /** what was looked at, here, */
  #seen = 0;
  /** and what came, here. */
  #end = 0;
  #wantsMore = true;

  /** @param give takes bytes to keep; false: no more of them for now. */
  constructor(
    give: (bytes: Uint8Array) => boolean,
    { answered = false, longestPayload, messages }: WebSocketBytesOptions,
  ) {
    this.#give = give;
    this.#maskBit = answered ? 0 : 0x80;
    this.#messages = messages;
    this.#longestPayload = longestPayload;
    this.#expects = answered ? head() : { what: 'frame' };
  }

  /** Where the next bytes are to be put; never empty. The same until `took` is called. */
  get room(): Uint8Array {
    if (this.#expects.what === 'long') return this.#expects.payload.subarray(this.#expects.filled);
    return this.#shared.subarray(this.#end);
  }

  /**
   * So many bytes were put where there was room.
   * @returns whether more may come now.
   */
  took(length: number): boolean {
    this.#wantsMore = true;
    if (this.#expects.what === 'long') this.#fill(this.#expects, length);
    else {
      this.#end += length;
      this.#look();
      this.#giveSeen();
      this.#makeRoom();
    }
    return this.#wantsMore;
  }

  /** Bytes that came another way. */
  push(bytes: Uint8Array): void {
    fillRoom(this, bytes);
  }

  #look(): void {
    while (this.#seen < this.#end) {
      const expects = this.#expects;
      switch (expects.what) {
        case 'head':
          this.#lookForEnd(expects);
          break;
        case 'frame':
          if (!this.#lookAtFrame()) return;
          break;
        case 'short': {
          const part = Math.min(expects.left, this.#end - this.#seen);
          this.#seen += part;
          expects.left -= part;
          if (expects.left === 0) this.#expects = { what: 'frame' };
          break;
        }
        case 'long':
          return;
        case 'anything':
          this.#seen = this.#end;
      }
    }
  }

  #lookForEnd(expects: Extract<Expects, { what: 'head' }>): void {
    while (this.#seen < this.#end && expects.matched < headEnd.length) {
      const byte = this.#shared[this.#seen] ?? 0;
      this.#seen += 1;
      if (expects.status.length < statusBytes) expects.status += String.fromCharCode(byte);
      if (byte === headEnd[expects.matched]) expects.matched += 1;
      else expects.matched = byte === carriageReturn ? 1 : 0;
    }
    if (expects.matched < headEnd.length) return;
    if (expects.status.endsWith(' 101')) this.#expects = { what: 'frame' };
    // What is said before an answer, e.g. 103, is followed by another head.
    else this.#expects = expects.status.at(-3) === '1' ? head() : { what: 'anything' };
    // Not together with frames, which would be copied out of it once more.
    this.#giveSeen();
  }

  /** @returns false where a frame's head is not all there. */
  #lookAtFrame(): boolean {
    const available = this.#end - this.#seen;
    if (available < 2) return false;
    const bytes = this.#shared;
    const at = this.#seen;
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    const code = second & 0x7f;
    const maskBytes = second & 0x80 ? 4 : 0;
    const headBytes = 2 + (code === 126 ? 2 : code === 127 ? 8 : 0) + maskBytes;
    if (available < headBytes) return false;
    let length = code;
    if (code === 126) length = bytes.readUInt16BE(at + 2);
    if (code === 127) length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
    const isMessage = first === wholeMessage;
    const isPlain = isMessage || isHeartbeat(first, length);
    if (!isPlain || (second & 0x80) !== this.#maskBit) this.#messages = undefined;
    const isShort = length <= longPayload;
    const isWhole = headBytes + length <= available;
    if (isMessage && isShort && isWhole && this.#messages?.isReady) {
      this.#takeMessage(this.#messages, at + headBytes, length);
      return true;
    }
    this.#seen += headBytes;
    if (isShort) {
      if (length > 0) this.#expects = { what: 'short', left: length };
    } else if (length > this.#longestPayload()) this.#expects = { what: 'anything' };
    else this.#begin(length);
    return true;
  }

  #takeMessage(taker: MessageTaker, at: number, length: number): void {
    this.#giveSeen();
    const message = this.#shared.subarray(at, at + length);
    if (this.#maskBit) unmask(message, this.#shared.readInt32LE(at - 4));
    this.#seen = at + length;
    this.#given = this.#seen;
    taker.take(message);
  }

  #begin(length: number): void {
    this.#giveSeen();
    const long = { what: 'long' as const, payload: Buffer.allocUnsafeSlow(length), filled: 0 };
    this.#expects = long;
    const part = this.#shared.subarray(this.#seen, Math.min(this.#end, this.#seen + length));
    long.payload.set(part);
    this.#given = this.#seen + part.length;
    this.#seen = this.#given;
    this.#fill(long, part.length);
    // It was copied: its place can be had again, if nothing came behind it.
    if (this.#seen === this.#end) {
      this.#end -= part.length;
      this.#seen = this.#end;
      this.#given = this.#end;
    }
  }

  #fill(long: Extract<Expects, { what: 'long' }>, length: number): void {
    long.filled += length;
    if (long.filled < long.payload.length) return;
    this.#expects = { what: 'frame' };
    this.#out(long.payload);
  }

  #giveSeen(): void {
    if (this.#seen === this.#given) return;
    const bytes = this.#shared.subarray(this.#given, this.#seen);
    this.#given = this.#seen;
    this.#out(bytes);
  }

  #out(bytes: Uint8Array): void {
    if (!this.#give(bytes)) this.#wantsMore = false;
  }

  #makeRoom(): void {
    if (this.#shared.length - this.#end >= leastRoom) return;
    const rest = this.#shared.subarray(this.#given, this.#end);
    this.#shared = Buffer.allocUnsafeSlow(sharedBytes);
    this.#shared.set(rest);
    this.#given = 0;
    this.#seen = 0;
    this.#end = rest.length;
  }
}

const head = (): Extract<Expects, { what: 'head' }> => ({ what: 'head', status: '', matched: 0 });

/** A ping or pong of WebSocket itself: it may come between any two frames, and changes nothing. */
const isHeartbeat = (first: number, length: number): boolean =>
  (first === 0x89 || first === 0x8a) && length < 126;

function unmask(message: Uint8Array, key: number): void {
  if (key === 0) return;
  for (let at = 0; at < message.length; at += 1) {
    message[at] = (message[at] ?? 0) ^ (key >> (8 * (at & 3)));
  }
}
