import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readIdx } from '../../../../../worker/engine/datasets/idx.ts';

const corrupt = (message: RegExp) =>
  expect.objectContaining({ code: 'dataset-corrupt', message: expect.stringMatching(message) });

function idx(magic: number, shape: readonly number[], values: readonly number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(magic);
  shape.forEach((size, index) => {
    header.writeUInt32BE(size, 4 + 4 * index);
  });
  return Uint8Array.from([...header, ...values]);
}

describe('IDX files', () => {
  const pictures = idx(0x803, [2, 1, 2], [1, 2, 3, 255]);

  it('reads pictures and labels, packed or not', () => {
    expect(readIdx(pictures, 'x', 3)).toEqual({
      shape: [2, 1, 2],
      values: Uint8Array.of(1, 2, 3, 255),
    });
    expect([...readIdx(gzipSync(pictures), 'x', 3).values]).toEqual([1, 2, 3, 255]);
    expect([...readIdx(idx(0x801, [3], [7, 8, 9]), 'x', 1).values]).toEqual([7, 8, 9]);
  });

  it('refuses labels for pictures, other element types, and counts that do not fit', () => {
    expect(() => readIdx(idx(0x801, [12], new Array<number>(12).fill(0)), 'x', 3)).toThrow(
      corrupt(/0x00000801/),
    );
    expect(() => readIdx(idx(0xd03, [1, 1, 1], [0]), 'x', 3)).toThrow(corrupt(/0x00000d03/));
    expect(() => readIdx(idx(0x803, [2, 1, 2], [1, 2, 3]), 'x', 3)).toThrow(
      corrupt(/3 values, not 2 x 1 x 2/),
    );
    expect(() => readIdx(idx(0x803, [2, 1, 2], [1, 2, 3, 4, 5]), 'x', 3)).toThrow(
      corrupt(/5 values/),
    );
    expect(() => readIdx(idx(0x803, [0xffffffff, 0xffffffff, 2], []), 'x', 3)).toThrow(
      corrupt(/0 values/),
    );
  });

  it('refuses a file cut at any length, packed or not', () => {
    for (const whole of [pictures, gzipSync(pictures)]) {
      for (let length = 0; length < whole.length; length += 1) {
        expect(() => readIdx(whole.subarray(0, length), 'cut', 3)).toThrow(corrupt(/^cut /));
      }
    }
  });

  it('refuses a packed file with any one byte of its content changed', () => {
    const packed = gzipSync(pictures);
    const [headerEnd, trailer] = [10, packed.length - 8];
    for (let at = headerEnd; at < trailer; at += 1) {
      const damaged = Buffer.from(packed);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x55, at);
      expect(() => readIdx(damaged, 'x', 3)).toThrow(corrupt(/./));
    }
  });
});
