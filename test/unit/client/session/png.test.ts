import { crc32, inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeGreyPng } from '../../../../client/session/png.ts';
import { sampleFile, sampleGrid } from '../../../../client/session/sample-images.ts';

/** Reads a grey PNG as its specification tells, with the checksums. */
function decode(png: Buffer): { width: number; height: number; pixels: number[] } {
  expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + length);
    expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(body));
    chunks.set(body.subarray(0, 4).toString('latin1'), body.subarray(4));
    at += length + 12;
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'IDAT', 'IEND']);
  const header = chunks.get('IHDR') ?? Buffer.alloc(0);
  expect([...header.subarray(8)]).toEqual([8, 0, 0, 0, 0]);
  const width = header.readUInt32BE(0);
  const height = header.readUInt32BE(4);
  const rows = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0));
  const pixels: number[] = [];
  for (let y = 0; y < height; y += 1) {
    expect(rows[y * (width + 1)]).toBe(0);
    pixels.push(...rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)));
  }
  return { width, height, pixels };
}

test('a grey picture is the same after it was a PNG', () => {
  const pixels = Uint8Array.from({ length: 15 }, (_, index) => index * 17);
  expect(decode(encodeGreyPng(pixels, 5, 3))).toEqual({
    width: 5,
    height: 3,
    pixels: [...pixels],
  });
  expect(() => encodeGreyPng(pixels, 4, 3)).toThrow(RangeError);
});

const sample = {
  ...({ run: 'r', seq: 1, time: 0, type: 'sample', step: 12, epoch: 1, name: 'grid' } as const),
  ...{ count: 3, height: 1, width: 2, columns: 2, givenRows: 0 },
};

/** One pixel of every square of 3 x 3, after seeing that all nine are the same. */
function reduced(png: Buffer): { width: number; height: number; pixels: number[] } {
  const { width, height, pixels } = decode(png);
  const at = (x: number, y: number) => pixels[y * width + x];
  const small: number[] = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const corner = at(x - (x % 3), y - (y % 3)) ?? Number.NaN;
      expect(at(x, y)).toBe(corner);
      if (x % 3 === 0 && y % 3 === 0) small.push(corner);
    }
  }
  return { width: width / 3, height: height / 3, pixels: small };
}

test('the pictures of a sample stand in a grid with a grey line between them, each pixel a square', () => {
  const png = sampleGrid({ ...sample, pixels: () => Uint8Array.of(1, 2, 3, 4, 5, 6) });
  const line = 128;
  expect(reduced(png)).toEqual({
    width: 5,
    height: 3,
    pixels: [...[1, 2, line, 3, 4], ...[line, line, line, line, line], ...[5, 6, line, line, line]],
  });
});

test('rows that were given have less contrast than those that were drawn', () => {
  const two = { ...sample, count: 1, height: 2, columns: 1, givenRows: 1 };
  const png = sampleGrid({ ...two, pixels: () => Uint8Array.of(0, 255, 0, 255) });
  expect(reduced(png).pixels).toEqual([48, 192, 0, 255]);
});

test('25 digits can be looked at, in a small file', () => {
  const digits = { ...sample, count: 25, height: 28, width: 28, columns: 5, givenRows: 9 };
  // Noise is the worst that a model can draw.
  const noise = Uint8Array.from(
    { length: 25 * 28 * 28 },
    (_, at) => ((at * 2654435761) >>> 13) & 255,
  );
  const png = sampleGrid({ ...digits, pixels: () => noise });
  expect(decode(png)).toMatchObject({ width: 432, height: 432 });
  expect(png.length).toBeLessThan(64_000);
});

test('the name of a sample cannot lead out of its folder', () => {
  const name = '../../etc/passwd';
  const file = sampleFile({ ...sample, name, pixels: new Uint8Array() });
  expect(file).toBe('samples/000000012--etc-passwd.png');
});
