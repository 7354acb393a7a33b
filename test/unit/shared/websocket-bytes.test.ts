import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WebSocketBytes } from '../../../shared/websocket-bytes.ts';
import { websocketReader } from './websocket-reader.ts';

const longestPayload = 200_000;
const answer = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n');

/** A binary frame as RFC 6455 (5.2) has it. */
function frame(length: number, masked = false): Buffer {
  const mask = masked ? 0x80 : 0;
  let head = Buffer.from([0x82, mask | length]);
  if (length > 125) {
    head = Buffer.from([0x82, mask | 126, 0, 0]);
    if (length > 0xffff) head = Buffer.from([0x82, mask | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    if (length > 0xffff) head.writeBigUInt64BE(BigInt(length), 2);
    else head.writeUInt16BE(length, 2);
  }
  const payload = Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7) % 251));
  return Buffer.concat([head, ...(masked ? [Buffer.from([1, 2, 3, 4])] : []), payload]);
}

/** What is given on of bytes that arrive in pieces of such lengths, by turns. */
function given(bytes: Uint8Array, lengths: readonly number[], answered = false): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const read = new WebSocketBytes((part) => parts.push(part) > 0, {
    answered,
    longestPayload: () => longestPayload,
  });
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = Math.min(lengths[turn % lengths.length] ?? 1, bytes.length - at);
    expect(read.room.length).toBeGreaterThan(0);
    read.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

const whole = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);

describe('bytes of a WebSocket', () => {
  test('are given on in their order wherever they were split', () => {
    const bytes = Buffer.concat([answer, frame(0), frame(3), frame(130, true), frame(5)]);
    for (let at = 1; at < bytes.length; at += 1) {
      expect(whole(given(bytes, [at, bytes.length], true)).equals(bytes)).toBe(true);
    }
    expect(whole(given(bytes, [1], true)).equals(bytes)).toBe(true);
  });

  test('are given on in their order for any frames and any pieces', () => {
    const lengths = fc.integer({ min: 0, max: 100_000 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(lengths, fc.boolean()), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }),
        (frames, pieces) => {
          const bytes = Buffer.concat(frames.map(([length, masked]) => frame(length, masked)));
          expect(whole(given(bytes, pieces)).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of a long payload are one piece in memory of its own, and are not copied when they are read into it', () => {
    const parts: Uint8Array[] = [];
    const read = new WebSocketBytes((part) => parts.push(part) > 0, {
      longestPayload: () => longestPayload,
    });
    const bytes = frame(100_000);
    read.room.set(bytes.subarray(0, 10));
    read.took(10);
    const { room } = read;
    expect(room.length).toBe(100_000);
    room.set(bytes.subarray(10));
    read.took(100_000);
    const [head, payload] = parts;
    expect(head?.length).toBe(10);
    expect(payload?.buffer).toBe(room.buffer);
    expect(payload?.buffer.byteLength).toBe(100_000);
  });

  test('that were given on are not written over by those that follow', () => {
    const frames = Array.from({ length: 60 }, (_, at) => frame(at * 80));
    const parts = given(Buffer.concat(frames), [3_000]);
    expect(whole(parts).equals(Buffer.concat(frames))).toBe(true);
  });

  test('of a frame that is too long take no memory: they go to the reader, who refuses it', () => {
    const bytes = frame(longestPayload + 1).subarray(0, 50_000);
    const parts = given(bytes, [1_000]);
    expect(whole(parts).equals(bytes)).toBe(true);
    for (const { buffer } of parts) expect(buffer.byteLength).toBeLessThanOrEqual(64 * 1024);
  });

  test('of an answer that is no upgrade are given on as they are, and one before the answer is not taken for it', () => {
    const refusal = Buffer.from(
      'HTTP/1.1 401 Unauthorized\r\n\r\n\x82\x7f\0\0\0\0\0\x01\0\0no frame',
    );
    expect(whole(given(refusal, [7], true)).equals(refusal)).toBe(true);
    const early = Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n');
    const bytes = Buffer.concat([early, answer, frame(20_000)]);
    const parts = given(bytes, [11], true);
    expect(whole(parts).equals(bytes)).toBe(true);
    expect(parts.at(-1)?.length).toBe(20_000);
  });

  test('that are no WebSocket never leave it without room, and nothing but a broken-off frame is kept back', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3_000 }),
        fc.integer({ min: 1, max: 500 }),
        (bytes, piece) => {
          const out = whole(given(bytes, [piece]));
          expect(out.equals(bytes.subarray(0, out.length))).toBe(true);
        },
      ),
    );
  });
});

describe('short messages of a WebSocket', () => {
  const key = [1, 2, 3, 4];
  /** A client's frame; the payload counts on from its length. */
  const masked = (first: number, length: number): Buffer => {
    const plain = Buffer.from(Uint8Array.from({ length }, (_, at) => (length + at) % 251));
    const head = length < 126 ? [first, 0x80 | length] : [first, 0x80 | 126, length >> 8, length];
    return Buffer.from([...head, ...key, ...plain.map((byte, at) => byte ^ (key[at % 4] ?? 0))]);
  };

  /** What a reader makes of bytes that arrive in pieces of such lengths, by itself or with messages taken. */
  async function heard(
    bytes: Uint8Array,
    lengths: readonly number[],
    takes?: (count: number) => boolean,
  ): Promise<{ told: string[]; taken: number }> {
    const told: string[] = [];
    let taken = 0;
    const say = (what: string, data: Uint8Array) => {
      told.push(`${what} ${Buffer.from(data).toString('hex')}`);
    };
    const reader = websocketReader({ isServer: true, maxPayload: longestPayload });
    reader.on('message', (data: Buffer, isBinary: boolean) => say(`message ${isBinary}`, data));
    reader.on('ping', (data: Buffer) => say('ping', data));
    reader.on('pong', (data: Buffer) => say('pong', data));
    reader.on('conclude', (code: number) => told.push(`close ${code}`));
    reader.on('error', (error: Error) => told.push(error.message));
    let asked = 0;
    const read = new WebSocketBytes(
      (part) => {
        reader.write(Buffer.from(part));
        return true;
      },
      {
        longestPayload: () => longestPayload,
        ...(takes && {
          messages: {
            get isReady() {
              asked += 1;
              return takes(asked);
            },
            take: (message) => {
              taken += 1;
              say('message true', message);
            },
          },
        }),
      },
    );
    for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
      const length = Math.min(lengths[turn % lengths.length] ?? 1, bytes.length - at);
      read.push(bytes.subarray(at, at + length));
      at += length;
    }
    await new Promise((resolve) => setImmediate(resolve));
    return { told, taken };
  }

  test('come as they were sent, and the reader sees nothing of them', async () => {
    const bytes = Buffer.concat([1, 0, 130, 16_000].map((length) => masked(0x82, length)));
    const alone = await heard(bytes, [20_000]);
    const { told, taken } = await heard(bytes, [20_000], () => true);
    expect(told).toEqual(alone.told);
    expect(told).toHaveLength(4);
    expect(taken).toBe(4);
  });

  test('go to the reader while nobody takes them, when they come in pieces, and after a long one', async () => {
    const bytes = Buffer.concat([3, 5].map((length) => masked(0x82, length)));
    expect((await heard(bytes, [100], () => false)).taken).toBe(0);
    expect((await heard(bytes, [4], () => true)).taken).toBe(0);
    const long = Buffer.concat([masked(0x82, 20_000), masked(0x82, 3)]);
    const { told, taken } = await heard(long, [60_000], () => true);
    expect(told).toEqual((await heard(long, [60_000])).told);
    expect(taken).toBe(1);
  });

  test('are told in their order among pings, fragments, texts and what is no WebSocket, as the reader would tell them', async () => {
    // Whole and fragmented messages, texts, pings, pongs, a close, reserved bits and codes.
    const others = [0x02, 0x00, 0x80, 0x81, 0x89, 0x8a, 0x88, 0xc2, 0x83, 0x09];
    const kind = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0x82) },
      { weight: 1, arbitrary: fc.constantFrom(...others) },
    );
    const one = fc
      .tuple(kind, fc.integer({ min: 0, max: 300 }))
      .map(([first, length]) => masked(first, length));
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1 }),
        fc.option(fc.tuple(fc.nat(), fc.nat({ max: 255 }))),
        fc.integer({ min: 1, max: 4 }),
        async (frames, pieces, damage, every) => {
          const bytes = Buffer.concat(frames);
          if (damage) bytes[damage[0] % bytes.length] = damage[1];
          const alone = await heard(bytes, pieces);
          const both = await heard(bytes, pieces, (count) => every === 1 || count % every > 0);
          expect(both.told).toEqual(alone.told);
          taken += both.taken;
        },
      ),
      { numRuns: 1_000 },
    );
    expect(taken).toBeGreaterThan(500);
  });
});
