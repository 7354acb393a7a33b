import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../../../../worker/engine/checkpoints/safetensors.ts';

const tensor = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), fc.boolean(), fc.nat())
  .map(([shape, isFloat, seed]): StoredTensor => {
    const length = shape.reduce((product, size) => product * size, 1);
    const bits = Int32Array.from({ length }, (_, at) => Math.imul(seed + at, 0x9e3779b1));
    return { shape, values: isFloat ? new Float32Array(bits.buffer) : bits };
  });
const name = fc
  .string({ minLength: 1 })
  .filter((text) => !/^(__metadata__|__proto__|\d+)$/.test(text));
const tensors = fc.array(fc.tuple(name, tensor), { maxLength: 5 }).map((pairs) => new Map(pairs));

const bitsOf = (stored: ReadonlyMap<string, StoredTensor>) =>
  [...stored].map(([key, { shape, values }]) => ({
    key,
    shape: [...shape],
    type: values.constructor.name,
    bytes: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex'),
  }));

test('tensors come back with every bit, in their order', () => {
  fc.assert(
    fc.property(tensors, (given) => {
      expect(bitsOf(decodeSafetensors(encodeSafetensors(given)))).toEqual(bitsOf(given));
    }),
  );
});

test('the file is laid out as the format says, its data at a multiple of 8', () => {
  const file = encodeSafetensors(
    new Map([['w', { shape: [1, 2], values: Float32Array.of(1, -2) }]]),
    { step: '7' },
  );
  const headerBytes = Number(file.readBigUInt64LE(0));
  expect(headerBytes % 8).toBe(0);
  expect(JSON.parse(file.toString('utf8', 8, 8 + headerBytes))).toEqual({
    __metadata__: { step: '7' },
    w: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
  });
  expect(file.subarray(8 + headerBytes).toString('hex')).toBe('0000803f000000c0');
});

test('a cut or changed file is an error with a code, or says something else; never a crash', () => {
  const whole = encodeSafetensors(
    new Map([
      ['a', { shape: [3], values: Float32Array.of(1, 2, 3) }],
      ['b', { shape: [2], values: Int32Array.of(4, 5) }],
    ]),
  );
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => decodeSafetensors(whole.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'corrupt-safetensors' }),
    );
  }
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ flip;
      try {
        decodeSafetensors(changed);
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt-safetensors' });
      }
    }),
  );
});

test.each([
  ['a gap', { a: { dtype: 'F32', shape: [1], data_offsets: [4, 8] } }],
  ['bytes of nobody', { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }],
  [
    'shared bytes',
    {
      a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      b: { dtype: 'F32', shape: [1], data_offsets: [4, 8] },
    },
  ],
  ['another type', { a: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } }],
  ['another size', { a: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } }],
  ['a negative shape', { a: { dtype: 'F32', shape: [-1, -2], data_offsets: [0, 8] } }],
  ['no object', null],
])('a header with %s is refused', (_, header) => {
  const json = Buffer.from(JSON.stringify(header));
  const file = Buffer.concat([Buffer.alloc(8), json, Buffer.alloc(8)]);
  file.writeBigUInt64LE(BigInt(json.length));
  expect(() => decodeSafetensors(file)).toThrow(
    expect.objectContaining({ code: 'corrupt-safetensors' }),
  );
});

test('values that do not fill their shape are a programming error', () => {
  expect(() =>
    encodeSafetensors(new Map([['a', { shape: [2], values: Float32Array.of(1) }]])),
  ).toThrow(RangeError);
});
