/**
 * Writes msgpack that no honest program writes. Beside plain values it takes bytes that stand for
 * themselves, and maps whose keys may be anything and come twice.
 */

export class Verbatim {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export class Pairs {
  readonly pairs: readonly (readonly [unknown, unknown])[];
  constructor(pairs: readonly (readonly [unknown, unknown])[]) {
    this.pairs = pairs;
  }
}

export function writeMsgpack(value: unknown): Buffer {
  const parts: Uint8Array[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: unknown, parts: Uint8Array[]): void {
  if (value instanceof Verbatim) parts.push(value.bytes);
  else if (value instanceof Pairs) writePairs(value.pairs, parts);
  else if (value === null || value === undefined) parts.push(Uint8Array.of(0xc0));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xc3 : 0xc2));
  else if (typeof value === 'number') parts.push(number(value));
  else if (typeof value === 'string') {
    const text = Buffer.from(value);
    parts.push(head(text.length, 0xa0, 31, [0xd9, 0xda, 0xdb]), text);
  } else if (value instanceof Uint8Array) {
    parts.push(head(value.length, 0, -1, [0xc4, 0xc5, 0xc6]), value);
  } else if (Array.isArray(value)) {
    parts.push(head(value.length, 0x90, 15, [undefined, 0xdc, 0xdd]));
    for (const item of value) write(item, parts);
  } else writePairs(Object.entries(value), parts);
}

function writePairs(pairs: readonly (readonly [unknown, unknown])[], parts: Uint8Array[]): void {
  const present = pairs.filter(([, value]) => value !== undefined);
  parts.push(head(present.length, 0x80, 15, [undefined, 0xde, 0xdf]));
  for (const [key, value] of present) {
    write(key, parts);
    write(value, parts);
  }
}

/** @param codes of a length of one, two and four bytes. */
function head(
  length: number,
  short: number,
  longestShort: number,
  codes: readonly (number | undefined)[],
): Buffer {
  const [one, two = 0, four = 0] = codes;
  if (length <= longestShort) return Buffer.of(short + length);
  if (one !== undefined && length < 0x100) return Buffer.of(one, length);
  if (length < 0x1_0000) return Buffer.of(two, length >> 8, length & 0xff);
  const bytes = Buffer.alloc(5, four);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function number(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 0x80 && !Object.is(value, -0)) {
    return Buffer.of(value);
  }
  if (Number.isInteger(value) && value > 0 && value < 2 ** 32) {
    const bytes = Buffer.alloc(5, 0xce);
    bytes.writeUInt32BE(value, 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}
