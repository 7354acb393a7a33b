import { limits } from './limits.ts';

/** Most bytes that are kept for what is written next: nearly all headers and events are far smaller. */
const mostKept = 64 * 1024;
/** Longer texts are measured and written by native code; for short ones the call takes longer than they do. */
const longestByHand = 40;

/**
 * Writes the part of msgpack that MsgpackReader reads, each value in its shortest form (PROTOCOL.md,
 * "Frames"), into memory that is used again for the next value.
 */
export class MsgpackWriter {
  #bytes = Buffer.allocUnsafeSlow(mostKept);
  #at = 0;

  /**
   * Takes the place of what was written before.
   * @returns how many bytes it takes.
   * @throws TypeError for a value that msgpack has no form for, a typed array other than bytes, and
   *   a value nested deeper than `valueDepth`.
   */
  write(value: unknown): number {
    if (this.#bytes.length > mostKept) this.#bytes = Buffer.allocUnsafeSlow(mostKept);
    this.#at = 0;
    this.#value(value, 0);
    return this.#at;
  }

  /** Copies what was written to a place that has room for it. */
  copyTo(target: Uint8Array, at: number): void {
    this.#bytes.copy(target, at, 0, this.#at);
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        this.#text(value);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'boolean':
        this.#byte(value ? 0xc3 : 0xc2);
        return;
      case 'undefined':
        this.#byte(0xc0);
        return;
      case 'object':
        if (value === null) this.#byte(0xc0);
        else this.#container(value, depth);
        return;
      default:
        throw new TypeError(`a ${typeof value} cannot be packed`);
    }
  }

  #container(value: object, depth: number): void {
    // Nothing of ours is so deep, and a reader must not run out of stack.
    if (depth >= limits.valueDepth) {
      throw new TypeError(`a value is nested deeper than ${limits.valueDepth}`);
    }
    if (Array.isArray(value)) {
      this.#head(value.length, 0x90, 15, 0xdc);
      for (const part of value) this.#value(part, depth + 1);
    } else if (value instanceof Uint8Array) {
      this.#raw(value);
    } else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
      throw new TypeError(`a ${value.constructor.name} cannot be packed: send it as raw bytes`);
    } else {
      this.#map(value as Record<string, unknown>, depth);
    }
  }

  /** Fields that are undefined are left out. */
  #map(map: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(map);
    let fields = 0;
    for (const key of keys) if (map[key] !== undefined) fields += 1;
    // Its values are not in fields: it would arrive empty.
    if (keys.length === 0 && (map instanceof Map || map instanceof Set || map instanceof Date)) {
      throw new TypeError(`a ${map.constructor.name} cannot be packed`);
    }
    this.#head(fields, 0x80, 15, 0xde);
    for (const key of keys) {
      const value = map[key];
      if (value === undefined) continue;
      this.#text(key);
      this.#value(value, depth + 1);
    }
  }

  #text(text: string): void {
    if (text.length <= longestByHand && this.#shortAscii(text)) return;
    const length = Buffer.byteLength(text);
    if (length > 31 && length < 256) this.#bytesOfHead(0xd9, length, 1);
    else this.#head(length, 0xa0, 31, 0xda);
    this.#room(length);
    this.#at += this.#bytes.write(text, this.#at, length);
  }

  /** @returns false, and nothing is written, where it has other characters than ASCII. */
  #shortAscii(text: string): boolean {
    const { length } = text;
    this.#room(length + 2);
    const bytes = this.#bytes;
    let at = this.#at;
    if (length < 32) bytes[at] = 0xa0 | length;
    else {
      bytes[at] = 0xd9;
      at += 1;
      bytes[at] = length;
    }
    at += 1;
    for (let place = 0; place < length; place += 1) {
      const unit = text.charCodeAt(place);
      if (unit >= 0x80) return false;
      bytes[at + place] = unit;
    }
    this.#at = at + length;
    return true;
  }

  #number(value: number): void {
    if (value >>> 0 === value) {
      // No integer is a negative zero.
      if (value === 0 && Object.is(value, -0)) this.#double(value);
      else if (value < 0x80) this.#byte(value);
      else if (value < 0x100) this.#bytesOfHead(0xcc, value, 1);
      else if (value < 0x1_0000) this.#bytesOfHead(0xcd, value, 2);
      else this.#bytesOfHead(0xce, value, 4);
    } else if ((value | 0) === value) {
      if (value >= -0x20) this.#byte(value & 0xff);
      else if (value >= -0x80) this.#bytesOfHead(0xd0, value & 0xff, 1);
      else if (value >= -0x8000) this.#bytesOfHead(0xd1, value & 0xffff, 2);
      else this.#bytesOfHead(0xd2, value >>> 0, 4);
    } else this.#double(value);
  }

  #double(value: number): void {
    this.#room(9);
    this.#bytes[this.#at] = 0xcb;
    this.#at = this.#bytes.writeDoubleBE(value, this.#at + 1);
  }

  #raw(value: Uint8Array): void {
    const { length } = value;
    if (length < 0x100) this.#bytesOfHead(0xc4, length, 1);
    else if (length < 0x1_0000) this.#bytesOfHead(0xc5, length, 2);
    else this.#bytesOfHead(0xc6, length, 4);
    this.#room(length);
    this.#bytes.set(value, this.#at);
    this.#at += length;
  }

  /** @param type of up to `most`, which are in that byte itself; `type16` is that of two bytes, and the next of four. */
  #head(length: number, type: number, most: number, type16: number): void {
    if (length <= most) this.#byte(type | length);
    else if (length < 0x1_0000) this.#bytesOfHead(type16, length, 2);
    else this.#bytesOfHead(type16 + 1, length, 4);
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#at] = byte;
    this.#at += 1;
  }

  #bytesOfHead(type: number, value: number, count: 1 | 2 | 4): void {
    this.#room(5);
    this.#bytes[this.#at] = type;
    const at = this.#at + 1;
    if (count === 1) this.#bytes[at] = value;
    else if (count === 2) this.#bytes.writeUInt16BE(value, at);
    else this.#bytes.writeUInt32BE(value, at);
    this.#at = at + count;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
