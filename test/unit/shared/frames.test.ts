import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TeletrainError } from '../../../shared/errors.ts';
import { decodeFrame, encodeFrame, encodeFrameInPlace } from '../../../shared/frames.ts';
import { limits } from '../../../shared/limits.ts';
import { type FrameKind, frameKinds } from '../../../shared/messages.ts';

const kinds = Object.keys(frameKinds) as FrameKind[];
const plainValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.double(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

/** Bytes come back as a Buffer, and -0 as the integer 0. */
const comparable = (value: unknown): unknown => {
  if (value === 0) return 0;
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, comparable(part)]));
};

/** What decoding came to: a frame, or the code of the error. Anything else that is thrown fails the test. */
function outcome(bytes: Uint8Array): string {
  try {
    return decodeFrame(bytes).kind;
  } catch (error) {
    if (error instanceof TeletrainError) return error.code;
    throw error;
  }
}

test('a frame made where its payload is has the same bytes, also where there is no room for it', () => {
  const header = { session: 'a session', number: 7, got: 3 };
  for (const [room, isInPlace] of [
    [512, true],
    [64, true],
    [16, false],
  ] as const) {
    const memory = new Uint8Array(room + 100).fill(9);
    const payload = memory.subarray(room, room + 50);
    const expected = encodeFrame('results', header, Uint8Array.from(payload));
    const frame = encodeFrameInPlace('results', header, payload);
    expect(Buffer.from(frame).equals(expected)).toBe(true);
    expect(frame.buffer === memory.buffer).toBe(isInPlace);
    // Behind it nothing is touched.
    expect(memory.subarray(room + 50).every((byte) => byte === 9)).toBe(true);
  }
});

describe('a frame', () => {
  test('comes back as it was sent, with its payload at a multiple of 16', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        plainValue,
        fc.uint8Array({ maxLength: 300 }),
        (kind, header, payload) => {
          const bytes = encodeFrame(kind, header, payload);
          const frame = decodeFrame(bytes);
          expect(frame.kind).toBe(kind);
          expect(comparable(frame.header)).toEqual(comparable(header));
          expect([...frame.payload]).toEqual([...payload]);
          const isAligned = (frame.payload.byteOffset - bytes.byteOffset) % 16 === 0;
          expect(isAligned || payload.length === 0).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('that is cut short anywhere is malformed', () => {
    const bytes = encodeFrame(
      'request',
      { id: 'a', method: 'worker.info', params: {} },
      new Uint8Array(40),
    );
    for (let length = 0; length < bytes.length; length += 1) {
      expect(outcome(bytes.subarray(0, length))).toBe('malformed-frame');
    }
    expect(outcome(Buffer.concat([bytes, Buffer.alloc(1)]))).toBe('malformed-frame');
  });

  test('made of whatever bytes is a frame or malformed, and never any other error', () => {
    const good = kinds.map((kind, index) =>
      encodeFrame(
        kind,
        { id: `id-${index}`, nested: { list: [1, 2.5, null, 'text'], bytes: new Uint8Array(20) } },
        new Uint8Array(index * 7),
      ),
    );
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const seen = new Set<string>();
    for (let count = 0; count < 20_000; count += 1) {
      const bytes = Buffer.from(good[random(good.length)] ?? []);
      const changes = 1 + random(6);
      for (let change = 0; change < changes; change += 1) bytes[random(bytes.length)] = random(256);
      const length = random(3) === 0 ? random(bytes.length + 1) : bytes.length;
      seen.add(outcome(bytes.subarray(0, length)));
    }
    expect(seen).toContain('malformed-frame');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void outcome(bytes)),
      { numRuns: 2_000 },
    );
  });

  test('with msgpack that is made to hurt is refused: deep nesting, lying lengths, odd extensions', () => {
    const withHeader = (header: Buffer): Buffer => {
      const bytes = Buffer.alloc(16 + ((header.length + 15) & ~15));
      bytes.set([0x54, 1, frameKinds.request]);
      bytes.writeUInt32LE(header.length, 4);
      header.copy(bytes, 16);
      return bytes;
    };
    expect(outcome(withHeader(Buffer.alloc(500_000, 0x91)))).toBe('malformed-frame');
    expect(outcome(withHeader(Buffer.from('dfffffffff', 'hex')))).toBe('malformed-frame');
    expect(outcome(withHeader(Buffer.from('c6ffffffff', 'hex')))).toBe('malformed-frame');
    // Structured-clone references, errors, sets, typed arrays, regular expressions and records,
    // which a general decoder makes, the last by compiling a function.
    for (const extension of [
      'd5780001',
      'd47200929193a161a162a163010203',
      'd669000000019100',
      'd47800',
      'd46500',
      'd47300',
      'd47400',
      'd46e00',
      'd46400',
    ]) {
      expect(outcome(withHeader(Buffer.from(extension, 'hex')))).toBe('malformed-frame');
    }
    // {"__proto__": {"x": true}}
    expect(outcome(withHeader(Buffer.from('81a95f5f70726f746f5f5f81a178c3', 'hex')))).toBe(
      'malformed-frame',
    );
    expect(({} as { x?: unknown }).x).toBeUndefined();
    // {"a": 1, "a": 2}, and {1: 2}
    expect(outcome(withHeader(Buffer.from('82a16101a16102', 'hex')))).toBe('malformed-frame');
    expect(outcome(withHeader(Buffer.from('810102', 'hex')))).toBe('malformed-frame');
  });

  test('over the limits is never made', () => {
    expect(() => encodeFrame('response', {}, new Uint8Array(limits.frameBytes))).toThrow(
      /over the limit/,
    );
    expect(() => encodeFrame('response', { text: 'x'.repeat(limits.headerBytes) })).toThrow(
      /over the limit/,
    );
    expect(
      encodeFrame('response', { id: 'x'.repeat(64), result: {} }, new Uint8Array(limits.chunkBytes))
        .length,
    ).toBeLessThan(limits.frameBytes);
  });

  test('never holds a typed array other than bytes, whose values have no form in msgpack', () => {
    for (const values of [
      new Float32Array(4),
      new BigInt64Array(2),
      new DataView(new ArrayBuffer(8)),
      new ArrayBuffer(8),
    ]) {
      expect(() => encodeFrame('event', { nested: [{ values }] })).toThrow(TypeError);
    }
  });

  test('leaves absent fields out', () => {
    expect(decodeFrame(encodeFrame('ping', { time: 1, more: undefined })).header).toEqual({
      time: 1,
    });
    expect(
      Object.keys(decodeFrame(encodeFrame('ping', { time: 1, more: undefined })).header as object),
    ).toEqual(['time']);
  });
});
