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

test('the pictures of a sample stand in a grid with one grey pixel between them', () => {
  const png = sampleGrid({ ...sample, pixels: () => Uint8Array.of(1, 2, 3, 4, 5, 6) });
  const line = 128;
  expect(decode(png)).toEqual({
    width: 5,
    height: 3,
    pixels: [...[1, 2, line, 3, 4], ...[line, line, line, line, line], ...[5, 6, line, line, line]],
  });
});

test('the name of a sample cannot lead out of its folder', () => {
  const name = '../../etc/passwd';
  const file = sampleFile({ ...sample, name, pixels: new Uint8Array() });
  expect(file).toBe('samples/000000012--etc-passwd.png');
});
