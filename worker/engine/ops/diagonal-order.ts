/** A picture's extent in pixels; its cells are counted in raster order, row by row. */
export interface PictureSize {
  readonly rows: number;
  readonly columns: number;
}

/** `left` scans from the top left corner to the bottom right one, `right` is its mirror image. */
export type Direction = 'left' | 'right';

/**
 * One column of the skewed map (van den Oord et al., 2016, section 3.2), in which each row is offset
 * by one position from the row above. Only its cells inside the picture are kept, so the map needs
 * no padding.
 */
export interface SkewedColumn {
  /** Number of cells, consecutive picture rows from top to bottom. */
  readonly cells: number;
  /** Whether the first cell lies in the picture's first row, so that nothing is above it. */
  readonly startsAtTop: boolean;
  /** Whether the last cell lies in its row's first column, so that nothing is to its left. */
  readonly endsAtSide: boolean;
}

export function skewedColumns({ rows, columns }: PictureSize): SkewedColumn[] {
  return Array.from({ length: rows + columns - 1 }, (_, column) => {
    const first = Math.max(0, column - columns + 1);
    const last = Math.min(rows - 1, column);
    return { cells: last - first + 1, startsAtTop: first === 0, endsAtSide: last === column };
  });
}

/**
 * The cells of a picture column by column of its skewed map: cell (row, column) is in skewed column
 * row + column, for the right direction counting columns from the right.
 */
export function diagonalOrder({ rows, columns }: PictureSize, direction: Direction): Int32Array {
  const order = new Int32Array(rows * columns);
  let place = 0;
  for (let skewed = 0; skewed < rows + columns - 1; skewed++) {
    for (let row = Math.max(0, skewed - columns + 1); row <= Math.min(rows - 1, skewed); row++) {
      const scanned = skewed - row;
      const column = direction === 'left' ? scanned : columns - 1 - scanned;
      order[place++] = row * columns + column;
    }
  }
  return order;
}

/** The place of each element in a permutation of 0..n-1. */
export function inverse(permutation: Int32Array): Int32Array {
  const places = new Int32Array(permutation.length);
  permutation.forEach((element, place) => {
    places[element] = place;
  });
  return places;
}
