/**
 * A raster of small dots in character cells: 2 x 4 dots a cell as braille (U+2800), or 1 x 2 as
 * plain ASCII. It knows nothing of colours: one raster a layer, put together by the chart.
 */

export interface DotShape {
  /** Dots across and down one cell. */
  readonly across: number;
  readonly down: number;
  /** The character with these bits lit: bit `row * across + column`. */
  character(bits: number): string;
}

/** Unicode's braille bit for dot (column, row), row by row. */
const brailleBits = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
const brailleCharacters = Array.from({ length: 256 }, (_, bits) =>
  String.fromCharCode(
    brailleBits.reduce((code, bit, index) => (bits & (1 << index) ? code | bit : code), 0x2800),
  ),
);

export const brailleShape: DotShape = {
  across: 2,
  down: 4,
  character: (bits) => brailleCharacters[bits] ?? ' ',
};
export const asciiShape: DotShape = {
  across: 1,
  down: 2,
  character: (bits) => [' ', "'", '.', ':'][bits] ?? ' ',
};

export class Dots {
  readonly shape: DotShape;
  /** Size in cells. */
  readonly columns: number;
  readonly rows: number;
  /** Lit dots, one byte a cell, row by row from the top. */
  readonly cells: Uint8Array;

  constructor(shape: DotShape, columns: number, rows: number) {
    this.shape = shape;
    this.columns = columns;
    this.rows = rows;
    this.cells = new Uint8Array(columns * rows);
  }

  /** Size in dots. */
  get width(): number {
    return this.columns * this.shape.across;
  }
  get height(): number {
    return this.rows * this.shape.down;
  }

  /** Lights the dot `x` from the left and `y` from the top; outside, nothing happens. */
  light(x: number, y: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const { across, down } = this.shape;
    const cell = Math.floor(y / down) * this.columns + Math.floor(x / across);
    this.cells[cell] = (this.cells[cell] ?? 0) | (1 << ((y % down) * across + (x % across)));
  }

  /** The dots of column `x` from `top` to `bottom`, both included. */
  vertical(x: number, top: number, bottom: number): void {
    for (let y = Math.max(0, top); y <= Math.min(this.height - 1, bottom); y += 1) this.light(x, y);
  }

  /** A straight line between two dots, both lit. `lit` leaves out dots, by their x, for a dashed line. */
  line(
    fromX: number,
    fromY: number,
    toX: number,
    toY: number,
    lit: (x: number) => boolean = () => true,
  ): void {
    const long = Math.max(Math.abs(toX - fromX), Math.abs(toY - fromY));
    for (let at = 0; at <= long; at += 1) {
      const part = long === 0 ? 0 : at / long;
      const x = Math.round(fromX + (toX - fromX) * part);
      if (lit(x)) this.light(x, Math.round(fromY + (toY - fromY) * part));
    }
  }
}
