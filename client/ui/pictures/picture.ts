import { brailleShape } from '../charts/dots.ts';
import type { Look } from '../style/look.ts';
import type { Painter, Rgb } from '../style/painter.ts';
import type { Row } from '../text/line.ts';

/** A grey picture: `height` rows of `width` values 0..255. */
export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

export interface PictureOptions {
  /** Rows from the top that were given to the model, not drawn by it: tinted. Default: 0. */
  readonly givenRows?: number;
  /** Rows from the top that are known; those below are left blank, not black. Default: all. */
  readonly knownRows?: number;
  /** Side of the squares of pixels that are averaged into one, to make it smaller. Default: 1. */
  readonly reduce?: number;
  /** Default: `half-blocks`. */
  readonly drawn?: PictureKind;
}

/**
 * How pictures are drawn: two coloured pixels a cell; eight dots a cell, for black and white; or a
 * character for each two pixels, by their brightness.
 */
export type PictureKind = 'half-blocks' | 'braille' | 'ramp';

/** The best that this terminal can show. */
export function pictureKind({ painter, glyphs }: Look): PictureKind {
  if (!glyphs.unicode) return 'ramp';
  return painter.depth === 8 || painter.depth === 24 ? 'half-blocks' : 'braille';
}

/** Pixels across and down one cell. */
const cellPixels: Readonly<Record<PictureKind, readonly [across: number, down: number]>> = {
  'half-blocks': [1, 2],
  braille: [2, 4],
  ramp: [1, 2],
};

/** Cells that a picture takes. */
export function pictureCells(
  width: number,
  height: number,
  reduce = 1,
  drawn: PictureKind = 'half-blocks',
): { columns: number; rows: number } {
  const [across, down] = cellPixels[drawn];
  return {
    columns: Math.ceil(Math.ceil(width / reduce) / across),
    rows: Math.ceil(Math.ceil(height / reduce) / down),
  };
}

/** Colours of the brightest pixel: what was given is bluish, what the model drew is warm white. */
const drawnColour: Rgb = [255, 246, 228];
const givenColour: Rgb = [112, 160, 214];
/** The picture's own black, a little lighter than a dark terminal so that its edges are seen. */
const black: Rgb = [22, 25, 32];

const ramp = ' .:-=+*#%@';

function shade(value: number, brightest: Rgb): Rgb {
  const part = value / 255;
  const mix = (dark: number, bright: number) => Math.round(dark + (bright - dark) * part);
  return [mix(black[0], brightest[0]), mix(black[1], brightest[1]), mix(black[2], brightest[2])];
}

/** Averages squares of `by` x `by` pixels; what is left over at the edges is averaged over what there is. */
export function reducePicture({ width, height, pixels }: GreyPicture, by: number): GreyPicture {
  if (by <= 1) return { width, height, pixels };
  const columns = Math.ceil(width / by);
  const rows = Math.ceil(height / by);
  const reduced = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      let sum = 0;
      let count = 0;
      for (let y = row * by; y < Math.min(height, (row + 1) * by); y += 1) {
        for (let x = column * by; x < Math.min(width, (column + 1) * by); x += 1) {
          sum += pixels[y * width + x] ?? 0;
          count += 1;
        }
      }
      reduced[row * columns + column] = Math.round(sum / count);
    }
  }
  return { width: columns, height: rows, pixels: reduced };
}

/** A picture as rows of `pictureCells().columns` cells. */
export function pictureRows(
  picture: GreyPicture,
  options: PictureOptions,
  painter: Painter,
): Row[] {
  const by = options.reduce ?? 1;
  const drawn = options.drawn ?? 'half-blocks';
  const reduced = reducePicture(picture, by);
  const { width, height, pixels } = reduced;
  const given = Math.round((options.givenRows ?? 0) / by);
  const line = (y: number): Uint8Array =>
    y < height ? pixels.subarray(y * width, (y + 1) * width) : new Uint8Array(width);
  const tint = (y: number): Rgb => (y < given ? givenColour : drawnColour);
  const known = Math.ceil((options.knownRows ?? picture.height) / by);
  const [across, down] = cellPixels[drawn];
  return Array.from({ length: Math.ceil(height / down) }, (_, row) => {
    const y = row * down;
    if (y >= known) return ' '.repeat(Math.ceil(width / across));
    if (drawn === 'half-blocks') {
      return colourRow(line(y), line(y + 1), tint(y), tint(y + 1), painter);
    }
    const text = drawn === 'braille' ? brailleRow(reduced, y) : rampRow(line(y), line(y + 1));
    // A cell that is half given and half drawn is shown as given: the half that is known.
    return painter.paint(text, y < given ? 'label' : 'strong');
  });
}

function colourRow(
  upper: Uint8Array,
  lower: Uint8Array,
  upperColour: Rgb,
  lowerColour: Rgb,
  painter: Painter,
): Row {
  let row = '';
  // Only what changes from cell to cell is sent: most of a digit is background, and a frame costs by its escapes.
  for (let x = 0; x < upper.length; x += 1) {
    const foreground =
      x === 0 || upper[x] !== upper[x - 1] ? shade(upper[x] ?? 0, upperColour) : undefined;
    const background =
      x === 0 || lower[x] !== lower[x - 1] ? shade(lower[x] ?? 0, lowerColour) : undefined;
    row += `${painter.colours(foreground, background)}▀`;
  }
  return `${row}\x1b[39;49m`;
}

/** Four rows of pixels from `top` on, a dot for each that is bright. */
function brailleRow({ width, height, pixels }: GreyPicture, top: number): string {
  const { across, down, character } = brailleShape;
  let text = '';
  for (let left = 0; left < width; left += across) {
    let bits = 0;
    for (let y = 0; y < down && top + y < height; y += 1) {
      for (let x = 0; x < across && left + x < width; x += 1) {
        if ((pixels[(top + y) * width + left + x] ?? 0) > 127) bits |= 1 << (y * across + x);
      }
    }
    text += character(bits);
  }
  return text;
}

const rampRow = (upper: Uint8Array, lower: Uint8Array): string =>
  Array.from(
    upper,
    (value, x) =>
      ramp[Math.round((((value + (lower[x] ?? 0)) / 2) * (ramp.length - 1)) / 255)] ?? ' ',
  ).join('');
