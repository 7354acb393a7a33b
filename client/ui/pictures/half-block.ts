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
  /** Side of the squares of pixels that are averaged into one, to make it smaller. Default: 1. */
  readonly reduce?: number;
  readonly unicode: boolean;
}

/** Cells that a picture takes: one across and half a one down each (averaged) pixel. */
export function pictureCells(
  width: number,
  height: number,
  reduce = 1,
): { columns: number; rows: number } {
  return { columns: Math.ceil(width / reduce), rows: Math.ceil(Math.ceil(height / reduce) / 2) };
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

/**
 * A picture as rows of `pictureCells().columns` cells. With 256 or more colours each cell shows two
 * pixels, one above the other; with fewer, a picture of black and white is drawn in half blocks and
 * any other as a ramp of characters.
 */
export function pictureRows(
  picture: GreyPicture,
  options: PictureOptions,
  painter: Painter,
): Row[] {
  const by = options.reduce ?? 1;
  const { width, height, pixels } = reducePicture(picture, by);
  const given = Math.round((options.givenRows ?? 0) / by);
  const coloured = (painter.depth === 8 || painter.depth === 24) && options.unicode;
  const binary = options.unicode && pixels.every((value) => value < 64 || value > 191);
  const rows: Row[] = [];
  for (let y = 0; y < height; y += 2) {
    const upper = pixels.subarray(y * width, (y + 1) * width);
    const lower =
      y + 1 < height ? pixels.subarray((y + 1) * width, (y + 2) * width) : new Uint8Array(width);
    if (coloured) {
      rows.push(
        colourRow(
          upper,
          lower,
          y < given ? givenColour : drawnColour,
          y + 1 < given ? givenColour : drawnColour,
          painter,
        ),
      );
    } else {
      const text = binary ? blockRow(upper, lower) : rampRow(upper, lower);
      rows.push(painter.paint(text, y < given ? 'label' : 'plain'));
    }
  }
  return rows;
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

const blockRow = (upper: Uint8Array, lower: Uint8Array): string =>
  Array.from(
    upper,
    (value, x) => [' ', '▀', '▄', '█'][(value > 127 ? 1 : 0) + ((lower[x] ?? 0) > 127 ? 2 : 0)],
  ).join('');

const rampRow = (upper: Uint8Array, lower: Uint8Array): string =>
  Array.from(
    upper,
    (value, x) =>
      ramp[Math.round((((value + (lower[x] ?? 0)) / 2) * (ramp.length - 1)) / 255)] ?? ' ',
  ).join('');
