import type { Chance } from './chance.ts';
import { Pairs, Verbatim } from './msgpack-writer.ts';

/** Values that programs forget: each may stand wherever a schema asks for something else. */
const hostile: readonly ((chance: Chance) => unknown)[] = [
  () => null,
  () => true,
  () => -0,
  () => -1,
  () => 1.5,
  (chance) => chance.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
  (chance) => chance.pick([2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e15]),
  (chance) => chance.pick([1e308, 5e-324, -(2 ** 63), 2 ** 64]),
  () => '',
  (chance) => 'x'.repeat(chance.pick([33, 65, 129, 5000, 100_000])),
  (chance) => chance.pick(climbs),
  () => [],
  () => ({}),
  (chance) => new Uint8Array(chance.pick([0, 1, 300])),
  (chance) => Object.fromEntries([[chance.pick(strangeKeys), { x: true }]]),
  (chance) => new Verbatim(Buffer.alloc(chance.pick([10, 63, 64, 65, 2000, 200_000]), 0x91)),
  (chance) => new Verbatim(Buffer.alloc(chance.pick([10, 2000]), 0x81)),
  (chance) => new Verbatim(Buffer.from(chance.pick(strangeMsgpack), 'hex')),
  (chance) => Array.from({ length: chance.pick([2, 17, 400]) }, () => chance.below(3)),
];

/** Names that would lead elsewhere if one became a path. */
export const climbs: readonly string[] = [
  ...['..', '../..', '../../../../etc/passwd', '/etc/passwd', 'C:\\windows\\win.ini', '..\\..\\x'],
  ...['%2e%2e%2f', '..%2f', '.', './x', 'a/b', 'a\\b', 'a\0b', 'manifest.json\0', '\u2025/\u2025'],
  ...[
    '\u2215etc\u2215passwd',
    '\uff0e\uff0e\uff0f',
    'con',
    'nul',
    'MANIFEST.JSON',
    ' x',
    'x ',
    '~',
  ],
  ...['.journal', '-rf', '$(id)', '`id`', 'file:///etc/passwd', 'x'.repeat(300)],
];

const strangeKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', ''];

/** Lengths that are not there, extension types, records, int64, text that is no UTF-8, codes of no use. */
const strangeMsgpack: readonly string[] = [
  ...[
    'ddffffffff',
    'dc ffff',
    'dfffffffff',
    'deffff',
    'dbffffffff',
    'daffff',
    'c6ffffffff',
    'c9ffffffff00',
  ],
  ...['c1', 'd40000', 'd5720091a161', 'd4720091a161 01', 'd6ff00000000', 'c70042', 'c7080042ff'],
  ...[
    'c71074 0000000000000000000000000000',
    'd669000000019100',
    'd67000000001',
    'd7780092a163a167',
  ],
  ...[
    'd4780092a22e2aa167',
    'c8000165',
    'd47300',
    'c404626262',
    'cfffffffffffffffff',
    'd38000000000000000',
  ],
  ...[
    'a4fffefdfc',
    'a3eda080',
    'd9ff',
    '82a16101a16102',
    '81c001',
    '8101 02',
    '81a95f5f70726f746f5f5f80',
  ],
].map((hex) => hex.replaceAll(' ', ''));

type Holder = Record<PropertyKey, unknown> | unknown[];

/** A copy with something changed at one or a few places, wherever a schema looks at it or not. */
export function mutateValue(value: unknown, chance: Chance): unknown {
  let changed = structuredClone(value);
  for (let times = 1 + chance.below(chance.pick([1, 1, 1, 4])); times > 0; times -= 1) {
    changed = changeOnce(changed, chance);
  }
  return changed;
}

function changeOnce(value: unknown, chance: Chance): unknown {
  const places: (readonly [Holder, string | number])[] = [];
  collect(value, places);
  if (places.length === 0 || chance.once(30)) return chance.pick(hostile)(chance);
  const [holder, key] = chance.pick(places);
  const slot = holder as Record<PropertyKey, unknown>;
  const old = slot[key];
  switch (chance.below(10)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete slot[key];
      return value;
    case 1:
      slot[key] = [old];
      return value;
    case 2:
      // The key comes twice, or is none.
      if (Array.isArray(holder)) holder.push(old);
      else return replaced(value, holder, twice(holder, key, chance));
      return value;
    case 3:
      if (typeof old === 'number') slot[key] = near(old, chance);
      else if (typeof old === 'string') slot[key] = nearText(old, chance);
      return value;
    case 4:
      slot[key] = slot[chance.pick(places)[1]] ?? chance.pick(hostile)(chance);
      return value;
    default:
      slot[key] = chance.pick(hostile)(chance);
      return value;
  }
}

function collect(value: unknown, places: (readonly [Holder, string | number])[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (value instanceof Uint8Array || value instanceof Verbatim || value instanceof Pairs) return;
  const holder = value as Holder;
  for (const key of Object.keys(holder)) {
    places.push([holder, key]);
    collect((holder as Record<string, unknown>)[key], places);
  }
}

function twice(holder: Holder, key: string | number, chance: Chance): Pairs {
  const pairs: (readonly [unknown, unknown])[] = Object.entries(holder);
  const again = chance.pick<unknown>([key, ...strangeKeys, 1, null, [1], new Uint8Array(2)]);
  return new Pairs([...pairs, [again, chance.pick(hostile)(chance)]]);
}

function replaced(value: unknown, holder: Holder, by: unknown): unknown {
  if (value === holder) return by;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const slots = value as Record<string, unknown>;
  for (const key of Object.keys(slots)) slots[key] = replaced(slots[key], holder, by);
  return value;
}

function near(value: number, chance: Chance): number {
  return chance.pick([
    value + 1,
    value - 1,
    -value,
    value * 2,
    value / 2,
    value + 0.5,
    value * 1e6,
  ]);
}

function nearText(value: string, chance: Chance): string {
  const at = chance.below(value.length + 1);
  return chance.pick([
    ...[
      value.toUpperCase(),
      value.slice(at),
      value + value,
      `${value}\0`,
      `../${value}`,
      ` ${value}`,
    ],
    value.slice(0, at) + chance.pick(['/', '\\', '\0', '\ud800', '😀', '..']) + value.slice(at),
  ]);
}

/** A copy of the bytes with something changed, wherever it falls. */
export function mutateBytes(bytes: Uint8Array, chance: Chance): Uint8Array {
  let changed = Buffer.from(bytes);
  for (let times = 1 + chance.below(chance.pick([1, 3, 12])); times > 0; times -= 1) {
    changed = changeBytes(changed, chance);
  }
  return changed;
}

function changeBytes(bytes: Buffer<ArrayBuffer>, chance: Chance): Buffer<ArrayBuffer> {
  if (bytes.length === 0) return Buffer.of(chance.below(256));
  const at = chance.below(bytes.length);
  const length = 1 + chance.below(Math.min(64, bytes.length - at));
  switch (chance.below(8)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << chance.below(8));
      return bytes;
    case 1:
      bytes[at] = chance.pick([0, 1, 0x7f, 0x80, 0xc1, 0xc7, 0xd4, 0xdd, 0xdf, 0xff]);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 5: {
      // A length of the frame's, the batch's, or of anything of four bytes.
      const place = chance.pick([0, 4, 8, 12, 16, at]);
      if (place + 4 > bytes.length) return bytes;
      bytes.writeUInt32LE(chance.pick([0, 1, 0xffff, 0x7fffffff, 0xffffffff, bytes.length]), place);
      return bytes;
    }
    case 6:
      return Buffer.concat([bytes, Buffer.alloc(length, chance.below(256))]);
    default: {
      // A splice of itself.
      const from = chance.below(bytes.length);
      bytes.copyWithin(at, from, from + length);
      return bytes;
    }
  }
}
