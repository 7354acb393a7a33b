import type { PictureSize } from '../ops/diagonal-order.ts';
import { rowThresholds } from './drawing-threshold.ts';

/** Draws pictures row by row, and keeps between rows what the pixels to come need. */
export interface RowSampler {
  /**
   * Draws the row `row` of all pictures in place, given the rows above it. Called once for each row,
   * from top to bottom.
   *
   * @param pictures 0/1 pixels [count · rows · columns]
   * @param thresholds [columns, count]: a pixel is 1 where its logit is larger
   */
  drawRow(pictures: Uint8Array, row: number, thresholds: Float32Array): Promise<void>;
  /** Also after a row that was not drawn to its end. */
  dispose(): void;
}

export interface SamplingOptions {
  readonly size: PictureSize;
  readonly count: number;
  /** Rows before it are kept. */
  readonly firstRow: number;
  /** Uniform in [0, 1); called in raster order, picture by picture within a pixel. */
  readonly random: () => number;
  /** Logits are divided by it, so that below 1 what is likely is drawn oftener. Default: 1. */
  readonly temperature?: number | undefined;
  /** Runs after each row; throws to end the sampling. */
  readonly onRow?: ((row: number, pictures: Uint8Array) => void | Promise<void>) | undefined;
}

/**
 * Draws each pixel from its conditional distribution given those drawn before: exact samples.
 * Disposes the sampler, whatever happens.
 *
 * @param given 0/1 pixels [count · rows · columns]; those from `firstRow` on are ignored
 * @returns a new array of the same layout
 */
export async function sampleAncestrally(
  sampler: RowSampler,
  given: Uint8Array,
  { size, count, firstRow, random, temperature, onRow }: SamplingOptions,
): Promise<Uint8Array> {
  try {
    const pictures = withoutRowsFrom(firstRow, given, count, size);
    for (let row = firstRow; row < size.rows; row++) {
      const thresholds = rowThresholds(size.columns, count, random, temperature);
      await sampler.drawRow(pictures, row, thresholds);
      await onRow?.(row, pictures);
    }
    return pictures;
  } finally {
    sampler.dispose();
  }
}

function withoutRowsFrom(
  firstRow: number,
  given: Uint8Array,
  count: number,
  { rows, columns }: PictureSize,
): Uint8Array {
  const pictures = given.slice(0, count * rows * columns);
  for (let picture = 0; picture < count; picture++) {
    const from = picture * rows * columns;
    pictures.fill(0, from + firstRow * columns, from + rows * columns);
  }
  return pictures;
}
