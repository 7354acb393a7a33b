import type { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import * as webSockets from 'ws';
import { WebSocketBytes } from '../../../shared/websocket-bytes.ts';
import type { Chance } from '../chance.ts';
import type { Input } from '../input.ts';
import { mutateBytes } from '../mutation.ts';
import type { Target } from '../target.ts';

/** As `frameBytes` is for a worker and a client, and less, so that longer ones are met. */
const longestPayload = 100_000;
/** A frame's head has no more: so many may wait for the rest of one. */
const headBytes = 14;
/** Room of the memory that all short frames share. */
const sharedBytes = 64 * 1024;

/** Bits of an input's first byte, which says who reads. */
const isServer = 1;
/** Memory is taken for long messages only after a first one, as a gateway does with strangers. */
const isStranger = 2;
/** The answer to an upgrade comes first. */
const isAnswered = 4;

const upgraded = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n');
const early = Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n');
const refused = Buffer.from('HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno.');

/**
 * What stands between a socket and `ws`: streams of frames and of what is none, in pieces as a system
 * may read them. Held to `ws`' own reader, which gets the same bytes at once and without it.
 */
export const websocketBytes: Target = {
  name: 'websocket-bytes',
  share: 50,
  memory: 2 * 1024 * 1024,
  make: (chance) => {
    const bits = chance.below(8);
    const stream = Buffer.concat([
      ...(bits & isAnswered ? answer(chance) : []),
      ...Array.from({ length: 1 + chance.below(5) }, () => frame(chance, (bits & isServer) > 0)),
    ]);
    const bytes = chance.once(2) ? mutateBytes(stream, chance) : stream;
    return [Buffer.of(bits), ...pieces(bytes, chance)];
  },
  run: async ([first = Buffer.of(0), ...read]) => {
    const bits = first[0] ?? 0;
    const stream = Buffer.concat(read);
    const given: Buffer[] = [];
    const heard = new Reader(bits);
    const mostTaken = () => (bits & isStranger && heard.messages.length === 0 ? 0 : longestPayload);
    const between = new WebSocketBytes(
      (part) => {
        // A copy: `ws` unmasks a part in its place.
        given.push(Buffer.from(part));
        heard.take(part);
        return given.length % 2 === 0;
      },
      { answered: (bits & isAnswered) > 0, longestPayload: mostTaken },
    );
    for (const piece of read) {
      for (let at = 0; at < piece.length; ) {
        const { room } = between;
        const most = Math.max(sharedBytes, mostTaken());
        if (room.length === 0 || room.length > most) throw new Error(`room for ${room.length}`);
        const part = piece.subarray(at, at + room.length);
        room.set(part);
        const before = given.length;
        const wantsMore = between.took(part.length);
        const isFull = given.some((_, place) => place >= before && place % 2 === 0);
        if (wantsMore === isFull) throw new Error('whether more may come is said wrongly');
        at += part.length;
      }
    }
    const whole = Buffer.concat(given);
    if (!stream.subarray(0, whole.length).equals(whole)) throw new Error('other bytes are given');
    const kept = stream.length - whole.length;
    if (kept > Math.max(headBytes, mostTaken())) throw new Error(`${kept} bytes are kept back`);

    const alone = new Reader(bits);
    alone.take(Buffer.from(stream));
    await turn();
    if (!isDeepStrictEqual(heard.messages, alone.messages)) {
      throw new Error(`${heard.messages.length} messages in place of ${alone.messages.length}`);
    }
    // Of a head that is not all there, `ws` may know already that it is wrong.
    const isWaiting = kept > 0 && kept < headBytes && heard.refusal === undefined;
    if (heard.refusal !== alone.refusal && !isWaiting) {
      throw new Error(`refused as ${heard.refusal} in place of ${alone.refusal}`);
    }
    return heard.refusal ?? (heard.messages.length > 0 ? 'messages' : 'no whole message');
  },
  close: async () => {},
};

// The types of `ws` leave its reader out, which it exports.
const { Receiver } = webSockets as unknown as {
  Receiver: new (options: {
    isServer: boolean;
    maxPayload: number;
    maxFragments: number;
  }) => Writable;
};

/** `ws`' reader, and what it says; where an answer to an upgrade comes first, of what follows that. */
class Reader {
  readonly messages: unknown[] = [];
  refusal: string | undefined;
  readonly #receiver: Writable;
  /** What came, until it holds the whole answer. */
  #answer: Buffer | undefined;

  constructor(bits: number) {
    this.#receiver = new Receiver({
      isServer: (bits & isServer) > 0,
      maxPayload: longestPayload,
      maxFragments: 64,
    });
    for (const event of ['message', 'ping', 'pong', 'conclude']) {
      this.#receiver.on(event, (...said: unknown[]) => this.messages.push([event, ...said]));
    }
    this.#receiver.on('error', (error: NodeJS.ErrnoException) => {
      this.refusal = error.code ?? error.message;
    });
    if (bits & isAnswered) this.#answer = Buffer.alloc(0);
  }

  take(part: Uint8Array): void {
    let bytes = part;
    if (this.#answer) {
      this.#answer = Buffer.concat([this.#answer, part]);
      const [head] =
        /^(?:HTTP\/1\.1 10[023] [\s\S]*?\r\n\r\n)*?HTTP\/1\.1 101 [\s\S]*?\r\n\r\n/.exec(
          this.#answer.toString('latin1'),
        ) ?? [''];
      if (head === '') return;
      bytes = this.#answer.subarray(head.length);
      this.#answer = undefined;
    }
    // Behind a farewell `ws` reads nothing more.
    if (!this.#receiver.writableEnded) this.#receiver.write(bytes);
  }
}

const answer = (chance: Chance): Buffer[] => [
  ...(chance.once(4) ? [early] : []),
  chance.once(6) ? refused : upgraded,
];

const lengths = [0, 1, 5, 125, 126, 127, 600, 16_383, 16_384, 16_385, 20_000, 65_535, 65_536];
/** Whole messages, pings and pongs; and parts of messages, text, farewells, compressed, of no use. */
const opcodes = [0x82, 0x82, 0x82, 0x89, 0x8a];
const rareOpcodes = [0x02, 0x00, 0x80, 0x81, 0x88, 0xc2, 0x83];
const wrongLengths = [longestPayload, longestPayload + 1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63];

/** A frame (RFC 6455, 5.2), now and then of another kind, masked wrongly, or as long as it never is. */
function frame(chance: Chance, isMasked: boolean): Buffer {
  const opcode = chance.once(12) ? chance.pick(rareOpcodes) : chance.pick(opcodes);
  const length = opcode > 0x87 ? chance.below(126) : chance.pick(lengths.slice(chance.below(13)));
  const payload = Buffer.alloc(length, chance.below(256));
  if (opcode === 0x88 && length > 1) payload.writeUInt16BE(chance.pick([1000, 4000, 999]));
  const said = chance.once(20) ? chance.pick(wrongLengths) : length;
  const masked = isMasked === !chance.once(40) ? 0x80 : 0;
  const head = [Buffer.of(opcode, masked | Math.min(said, 125))];
  if (said > 125) {
    const isLong = said > 0xffff || chance.once(20);
    const more = Buffer.alloc(isLong ? 8 : 2);
    if (isLong) more.writeBigUInt64BE(BigInt(said));
    else more.writeUInt16BE(said);
    head.splice(0, 1, Buffer.of(opcode, masked | (isLong ? 127 : 126)), more);
  }
  if (masked) head.push(Buffer.of(...[1, 2, 3, 4].map(() => chance.below(256))));
  return Buffer.concat([...head, payload]);
}

/** As they may be read: byte by byte at the begin of a frame, or as much as a system has. */
function pieces(bytes: Uint8Array, chance: Chance): Input {
  const read: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = chance.pick([1, 1 + chance.below(16), 1 + chance.below(3_000), 1_448, 65_536]);
    read.push(bytes.subarray(at, at + length));
    at += length;
  }
  return read;
}
