import { KnownTexts } from './known-texts.ts';
import { limits } from './limits.ts';

/**
 * Reads the part of msgpack that crosses the wire: nil, booleans, numbers, text, bytes, arrays and
 * maps with text for keys. A general decoder does more than strangers may ask for: it knows
 * extension types that compile functions and build regular expressions, and some read by native
 * code. What is read here takes memory in proportion to its bytes, whatever lengths it claims.
 */
export class MsgpackReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** Values that may still come: each takes a byte, so what announces more lies. */
  #values: number;
  #containers = 0;

  /** Reads what is from `start` to before `end`. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.byteLength) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
    this.#values = end - start;
  }

  /** The one value that the bytes are. @throws Error what is wrong with them. */
  readAll(): unknown {
    const value = this.#read(0);
    if (this.#at !== this.#end) throw new Error(`something follows at ${this.#at}`);
    return value;
  }

  #read(depth: number): unknown {
    const at = this.#at;
    if (at >= this.#end) throw cutOff();
    const byte = this.#bytes[at] ?? 0;
    this.#at = at + 1;
    if (byte < 0x80) return byte;
    if (byte >= 0xe0) return byte - 0x100;
    if (byte < 0x90) return this.#map(byte & 0x0f, depth);
    if (byte < 0xa0) return this.#array(byte & 0x0f, depth);
    if (byte < 0xc0) return this.#text(byte & 0x1f);
    switch (byte) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#raw(this.#unsigned(1));
      case 0xc5:
        return this.#raw(this.#unsigned(2));
      case 0xc6:
        return this.#raw(this.#unsigned(4));
      case 0xca:
        return this.#bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        // Beyond 2^53 it is the nearest number there is, which no schema of ours takes for an integer.
        return this.#unsigned(4) * 0x1_0000_0000 + this.#unsigned(4);
      case 0xd0:
        return this.#bytes.readInt8(this.#take(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return this.#bytes.readInt32BE(this.#take(4)) * 0x1_0000_0000 + this.#unsigned(4);
      case 0xd9:
        return this.#text(this.#unsigned(1));
      case 0xda:
        return this.#text(this.#unsigned(2));
      case 0xdb:
        return this.#text(this.#unsigned(4));
      case 0xdc:
        return this.#array(this.#unsigned(2), depth);
      case 0xdd:
        return this.#array(this.#unsigned(4), depth);
      case 0xde:
        return this.#map(this.#unsigned(2), depth);
      case 0xdf:
        return this.#map(this.#unsigned(4), depth);
      default:
        throw new Error(`the type 0x${byte.toString(16)} at ${at} does not occur here`);
    }
  }

  #array(length: number, depth: number): unknown[] {
    this.#announce(length, depth);
    const array: unknown[] = new Array(length);
    for (let place = 0; place < length; place += 1) array[place] = this.#read(depth + 1);
    return array;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#announce(length * 2, depth);
    const map: Record<string, unknown> = {};
    for (let place = 0; place < length; place += 1) {
      const key = this.#key();
      if (Object.hasOwn(map, key)) throw new Error(`the key "${key.slice(0, 40)}" comes twice`);
      map[key] = this.#read(depth + 1);
    }
    return map;
  }

  #key(): string {
    // Beyond the end it is what follows there, and reading it finds that it is cut off.
    const byte = this.#bytes[this.#at] ?? 0;
    const isText = (byte >= 0xa0 && byte < 0xc0) || (byte >= 0xd9 && byte <= 0xdb);
    if (!isText) throw new Error(`a key at ${this.#at} is no text`);
    const key = this.#read(0) as string;
    // Setting it would give the object another prototype.
    if (key === '__proto__') throw new Error('a key is __proto__');
    return key;
  }

  #text(length: number): string {
    const at = this.#take(length);
    return length > longestKnownText
      ? this.#bytes.toString('utf8', at, at + length)
      : knownTexts.text(this.#bytes, at, at + length);
  }

  /** A copy: a view would keep the whole message alive for as long as one small value of it is kept. */
  #raw(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  #unsigned(bytes: 1 | 2 | 4): number {
    const at = this.#take(bytes);
    return bytes === 1
      ? (this.#bytes[at] ?? 0)
      : bytes === 2
        ? this.#bytes.readUInt16BE(at)
        : this.#bytes.readUInt32BE(at);
  }

  /** @returns where the next so many bytes begin, which are there. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw cutOff();
    this.#at = at + length;
    return at;
  }

  /** Before anything is made for them. */
  #announce(values: number, depth: number): void {
    this.#values -= values;
    this.#containers += 1;
    if (this.#values < 0) throw cutOff();
    if (depth >= limits.valueDepth)
      throw new Error(`it is nested deeper than ${limits.valueDepth}`);
    if (this.#containers > limits.valueContainers)
      throw new Error(`it has more than ${limits.valueContainers} arrays and maps`);
  }
}

const longestKnownText = 64;
const knownTexts = new KnownTexts();

const cutOff = () => new Error('it is cut off');
