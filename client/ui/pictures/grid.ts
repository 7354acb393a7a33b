import type { Look } from '../style/look.ts';
import { fill, type Row } from '../text/line.ts';
import { type PictureKind, pictureCells, pictureKind, pictureRows } from './picture.ts';

/** Pictures of one size, one after the other. */
export interface PictureSet {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly givenRows: number;
  /** Rows from the top that are drawn already. Default: all. */
  readonly knownRows?: number;
  /** Grey 0..255, `count * height * width`. */
  readonly pixels: Uint8Array;
}

export interface GridLayout {
  /** Side of the squares of pixels averaged into one. */
  readonly reduce: number;
  /** Pictures across and down that fit. */
  readonly columns: number;
  readonly rows: number;
}

const gapColumns = 1;

/** Dots are small already, and a ramp is not legible when it is smaller. */
const reductions: Readonly<Record<PictureKind, readonly number[]>> = {
  'half-blocks': [1, 2, 3],
  braille: [1],
  ramp: [1, 2],
};

/**
 * The largest pictures of which at least `wanted` (or all there are) fit in `width` x `height`
 * cells; where not even the smallest do, as many as fit of those.
 */
export function gridLayout(
  set: Pick<PictureSet, 'count' | 'width' | 'height'>,
  width: number,
  height: number,
  drawn: PictureKind = 'half-blocks',
  wanted = 6,
): GridLayout {
  let layout: GridLayout = { reduce: 1, columns: 0, rows: 0 };
  for (const reduce of reductions[drawn]) {
    const cells = pictureCells(set.width, set.height, reduce, drawn);
    layout = {
      reduce,
      columns: Math.max(
        0,
        Math.min(set.count, Math.floor((width + gapColumns) / (cells.columns + gapColumns))),
      ),
      rows: Math.max(0, Math.floor(height / cells.rows)),
    };
    if (layout.columns * layout.rows >= Math.min(wanted, set.count)) break;
  }
  return layout;
}

/**
 * A grid of pictures as exactly `height` rows of `width` cells, from picture `from` on.
 * @returns the rows and how many pictures they show.
 */
export function gridRows(
  set: PictureSet,
  size: { width: number; height: number },
  look: Look,
  from = 0,
): { rows: Row[]; shown: number } {
  const drawn = pictureKind(look);
  const layout = gridLayout(set, size.width, size.height, drawn);
  const cells = pictureCells(set.width, set.height, layout.reduce, drawn);
  const pictureLength = set.width * set.height;
  const rows: Row[] = [];
  let shown = 0;
  for (let line = 0; line < layout.rows; line += 1) {
    const across = Math.min(layout.columns, set.count - from - shown);
    if (across <= 0) break;
    const pictures = Array.from({ length: across }, (_, column) => {
      const start = (from + shown + column) * pictureLength;
      return pictureRows(
        {
          width: set.width,
          height: set.height,
          pixels: set.pixels.subarray(start, start + pictureLength),
        },
        {
          givenRows: set.givenRows,
          knownRows: set.knownRows ?? set.height,
          reduce: layout.reduce,
          drawn,
        },
        look.painter,
      );
    });
    const used = across * (cells.columns + gapColumns) - gapColumns;
    for (let row = 0; row < cells.rows; row += 1) {
      rows.push(
        pictures.map((picture) => picture[row] ?? '').join(' '.repeat(gapColumns)) +
          ' '.repeat(size.width - used),
      );
    }
    shown += across;
  }
  return { rows: fill(rows, size.width, size.height), shown };
}
