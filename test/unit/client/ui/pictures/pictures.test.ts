import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gridLayout, gridRows } from '../../../../../client/ui/pictures/grid.ts';
import {
  pictureCells,
  pictureRows,
  reducePicture,
} from '../../../../../client/ui/pictures/picture.ts';
import { createLook } from '../../../../../client/ui/style/look.ts';
import { createPainter } from '../../../../../client/ui/style/painter.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are sent with them
const withoutColours = (row: string) => row.replace(/\x1b\[[\d;]*m/g, '');

const checkerboard = {
  width: 4,
  height: 4,
  pixels: Uint8Array.from({ length: 16 }, (_, at) => ((at + Math.floor(at / 4)) % 2 ? 255 : 0)),
};

test('each cell shows the pixel above as its foreground and the one below as its background', () => {
  const [row] = pictureRows(
    { width: 1, height: 2, pixels: Uint8Array.of(255, 0) },
    {},
    createPainter(24),
  );
  expect(row).toBe('\x1b[38;2;255;246;228;48;2;22;25;32m▀\x1b[39;49m');
});

test('given rows have another tint than drawn ones', () => {
  const pixels = new Uint8Array(4).fill(255);
  const rows = pictureRows({ width: 1, height: 4, pixels }, { givenRows: 2 }, createPainter(24));
  expect(rows[0]).not.toBe(rows[1]);
  const plain = pictureRows(
    { width: 1, height: 8, pixels: new Uint8Array(8).fill(255) },
    { givenRows: 4, drawn: 'braille' },
    createPainter(0),
  );
  expect(plain[0]).not.toBe(plain[1]);
});

test('a picture of black and white needs no colours: every pixel is a dot', () => {
  const rows = pictureRows(checkerboard, { drawn: 'braille' }, createPainter('none'));
  expect(rows).toEqual(['⡪⡪']);
});

test('greys in plain characters are a ramp, from a space to the darkest', () => {
  const ramp = { width: 3, height: 2, pixels: Uint8Array.of(0, 128, 255, 0, 128, 255) };
  expect(pictureRows(ramp, { drawn: 'ramp' }, createPainter('none'))).toEqual([' +@']);
});

test('averaging keeps the mean brightness', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(1, 2, 3),
      fc.infiniteStream(fc.nat(255)),
      (across, down, by, stream) => {
        const [width, height] = [across * by, down * by];
        const pixels = Uint8Array.from([...stream.take(width * height)]);
        const reduced = reducePicture({ width, height, pixels }, by);
        const mean = (values: Uint8Array) =>
          values.reduce((sum, value) => sum + value, 0) / values.length;
        expect(Math.abs(mean(reduced.pixels) - mean(pixels))).toBeLessThanOrEqual(0.5);
      },
    ),
  );
});

test('a picture takes the cells that it says, at any size and reduction', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(1, 2, 3),
      fc.constantFrom('half-blocks' as const, 'braille' as const, 'ramp' as const),
      (width, height, reduce, drawn) => {
        const rows = pictureRows(
          { width, height, pixels: new Uint8Array(width * height).fill(255) },
          { reduce, drawn },
          createPainter(24),
        );
        const cells = pictureCells(width, height, reduce, drawn);
        expect(rows).toHaveLength(cells.rows);
        for (const row of rows) expect([...withoutColours(row)]).toHaveLength(cells.columns);
      },
    ),
  );
});

test('a grid fills its place exactly and shows as many pictures as it says', () => {
  const look = createLook({ depth: 24, unicode: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 160 }),
      fc.integer({ min: 0, max: 50 }),
      fc.nat(30),
      (count, width, height, from) => {
        const set = {
          count,
          width: 28,
          height: 28,
          givenRows: 14,
          pixels: new Uint8Array(count * 784).fill(200),
        };
        const { rows, shown } = gridRows(set, { width, height }, look, Math.min(from, count - 1));
        expect(rows).toHaveLength(height);
        for (const row of rows) expect([...withoutColours(row)]).toHaveLength(width);
        const layout = gridLayout(set, width, height);
        expect(shown).toBe(
          Math.min(layout.columns * layout.rows, count - Math.min(from, count - 1)),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('pictures are as large as the room allows: full size where six fit, smaller where they do not', () => {
  const set = { count: 100, width: 28, height: 28 };
  expect(gridLayout(set, 156, 43)).toMatchObject({ reduce: 1, columns: 5, rows: 3 });
  expect(gridLayout(set, 60, 26)).toMatchObject({ reduce: 2, columns: 4, rows: 3 });
  expect(gridLayout(set, 36, 10).reduce).toBe(3);
});
