import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WebSocketBytes } from '../../../shared/websocket-bytes.ts';

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
