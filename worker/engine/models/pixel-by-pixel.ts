import type { PictureSize } from '../ops/diagonal-order.ts';
import type { RowSampler } from './ancestral-sampling.ts';

/** Gives a model's logits pixel by pixel while the pictures grow. */
export interface PixelByPixel {
  /** Logits [count] of a pixel, given all pixels before it. Called in raster order. */
  logits(pictures: Uint8Array, row: number, column: number): Promise<Float32Array>;
  /** Runs after a row's last pixel was drawn. */
  endRow?(row: number): void;
  dispose?(): void;
}

/** Draws rows by asking for one pixel's logits after the other. */
export function drawPixelByPixel(
  model: PixelByPixel,
  { rows, columns }: PictureSize,
  count: number,
): RowSampler {
  return {
    async drawRow(pictures, row, thresholds) {
      for (let column = 0; column < columns; column++) {
        const logits = await model.logits(pictures, row, column);
        for (let picture = 0; picture < count; picture++) {
          const threshold = thresholds[column * count + picture] ?? Number.NaN;
          const drawn = (logits[picture] ?? Number.NaN) > threshold;
          pictures[(picture * rows + row) * columns + column] = Number(drawn);
        }
      }
      model.endRow?.(row);
    },
    dispose: () => model.dispose?.(),
  };
}
