import { Unpackr } from 'msgpackr';
import { expect, test } from 'vitest';
import { limits } from '../../../shared/limits.ts';
import { pack, unpack } from '../../../shared/msgpack.ts';

const reference = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

test('reads what it packs, as msgpackr does', () => {
  const values: unknown[] = [
    ...[0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 2 ** 53 - 1],
    ...[-1, -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649, -(2 ** 53) + 1],
    ...[
      0.5,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      1e300,
      null,
      true,
      false,
    ],
    ...[
      '',
      'é',
      'x'.repeat(31),
      'x'.repeat(32),
      'ü'.repeat(200),
      '\uFEFFa',
      'x'.repeat(70_000),
      '😀',
    ],
    ...[[], {}, Array.from({ length: 16 }, (_, place) => place), new Array(70_000).fill(1)],
    Object.fromEntries(Array.from({ length: 300 }, (_, place) => [`key ${place}`, { place }])),
    { toString: 1, constructor: 2, hasOwnProperty: 3 },
  ];
  for (const value of values) {
    const bytes = pack(value);
    expect(unpack(bytes)).toEqual(reference.unpack(bytes));
    expect(unpack(bytes)).toEqual(value);
  }
  for (const length of [0, 1, 255, 256, 65_536]) {
    const bytes = pack({ bytes: new Uint8Array(length).fill(7) });
    expect(unpack(bytes)).toEqual({ bytes: new Uint8Array(length).fill(7) });
  }
});

test('what is packed next leaves what was packed before as it was, and takes no more room than it needs', () => {
  const long = pack({ text: 'x'.repeat(200_000) });
  const [first, second] = [pack({ first: 1 }), pack({ second: [2] })];
  expect(unpack(first)).toEqual({ first: 1 });
  expect(unpack(second)).toEqual({ second: [2] });
  expect(long.length).toBe(200_011);
});

test('every length of text comes back, whatever its characters', () => {
  for (const character of ['a', 'é', '漢', '😀']) {
    for (let length = 0; length < 300; length += 1) {
      const text = character.repeat(length);
      const bytes = pack([text, 'after']);
      expect(unpack(bytes)).toEqual([text, 'after']);
      expect(reference.unpack(bytes)).toEqual([text, 'after']);
    }
  }
  expect(unpack(pack(`${'a'.repeat(30)}é`))).toBe(`${'a'.repeat(30)}é`);
});

test.each([
  ['a big integer', 1n],
  ['a function', () => {}],
  ['a symbol', Symbol('x')],
  ['a map of its own type, whose entries are no fields', new Map([[1, 2]])],
  ['a set', new Set([1])],
  ['a date', new Date()],
])('%s is not packed', (_, value) => {
  expect(() => pack({ nested: [value] })).toThrow(TypeError);
  expect(unpack(pack({ after: 1 }))).toEqual({ after: 1 });
});

test('bytes that it read are its own', () => {
  const message = pack({ bytes: Uint8Array.of(1, 2, 3) });
  const { bytes } = unpack(message) as { bytes: Uint8Array };
  message.fill(0);
  expect([...bytes]).toEqual([1, 2, 3]);
  expect(bytes.buffer.byteLength).toBe(3);
});

test('text that is no UTF-8 is read with replacement characters, since an event may hold it', () => {
  expect(unpack(Buffer.from('a3ff61ff', 'hex'))).toBe('\uFFFDa\uFFFD');
});

test.each([
  ['nothing', ''],
  ['a number that is cut off', 'cd01'],
  ['a text that is cut off', 'a561'],
  ['bytes that are cut off', 'c4ff00'],
  ['an array of 4 billion values', 'ddffffffff00'],
  ['a map of 2 billion values', 'df7fffffff00'],
  ['arrays that each claim what follows', `${'dc00ff'.repeat(200)}`],
  ['the code that is never used', 'c1'],
  ['a date', 'd6ff00000000'],
  ['a big integer', 'c742420000'],
  ['a record', 'd5720091a16101'],
  ['more than one value', '0102'],
])('refuses %s', (_, hex) => {
  expect(() => unpack(Buffer.from(hex, 'hex'))).toThrow();
});

test('refuses what is nested deeper than the limit, and packs nothing of that kind', () => {
  const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)]);
  expect(unpack(pack(nested(limits.valueDepth - 1)))).toEqual(nested(limits.valueDepth - 1));
  expect(() => pack(nested(limits.valueDepth))).toThrow(TypeError);
  expect(() => unpack(Buffer.alloc(limits.valueDepth + 1, 0x91))).toThrow(/deeper than 64/);
});

test('a message of empty maps takes memory for no more of them than the limit', () => {
  const many = (count: number) =>
    Buffer.concat([Buffer.from([0xdd, 0, 0, 0, 0]), Buffer.alloc(count, 0x80)]);
  const right = many(limits.valueContainers - 1);
  right.writeUInt32BE(limits.valueContainers - 1, 1);
  expect(unpack(right)).toHaveLength(limits.valueContainers - 1);
  const over = many(limits.valueContainers);
  over.writeUInt32BE(limits.valueContainers, 1);
  expect(() => unpack(over)).toThrow(/arrays and maps/);
});
