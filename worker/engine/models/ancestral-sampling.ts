import type { PictureSize } from '../ops/diagonal-order.ts';

/** Gives a model's logits pixel by pixel while the pictures grow. */
export interface PixelByPixel {
  /** Logits [count] of a pixel, given all pixels before it. Called in raster order. */
  logits(pictures: Uint8Array, row: number, column: number): Promise<Float32Array>;
  /** Runs after a row's last pixel was drawn. */
  endRow?(pictures: Uint8Array, row: number): void;
}

export interface SamplingOptions {
  readonly size: PictureSize;
  readonly count: number;
  /** Rows before it are kept. */
  readonly firstRow: number;
  /** Uniform in [0, 1); called in raster order, picture by picture within a pixel. */
  readonly random: () => number;
  readonly onRow?: ((row: number, pictures: Uint8Array) => void | Promise<void>) | undefined;
}

/**
 * Draws each pixel from its conditional distribution given those drawn before: exact samples.
 *
 * @param given 0/1 pixels [count · rows · columns]; those from `firstRow` on are ignored
 * @returns a new array of the same layout
 */
export async function sampleAncestrally(
  model: PixelByPixel,
  given: Uint8Array,
  { size, count, firstRow, random, onRow }: SamplingOptions,
): Promise<Uint8Array> {
  const { rows, columns } = size;
  const pictures = given.slice(0, count * rows * columns);
  for (let picture = 0; picture < count; picture++) {
    const from = picture * rows * columns;
    pictures.fill(0, from + firstRow * columns, from + rows * columns);
  }
  for (let row = firstRow; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const logits = await model.logits(pictures, row, column);
      logits.forEach((logit, picture) => {
        const probability = 1 / (1 + Math.exp(-logit));
        const drawn = random() < probability ? 1 : 0;
        pictures[picture * rows * columns + row * columns + column] = drawn;
      });
    }
    model.endRow?.(pictures, row);
    await onRow?.(row, pictures);
  }
  return pictures;
}
