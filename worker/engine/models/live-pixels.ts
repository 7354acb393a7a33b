import type { PictureSize } from '../ops/diagonal-order.ts';
import { liveTaps } from '../ops/masked-convolution.ts';

/**
 * The pixels that a mask-A kernel sees at one place of each picture, zero outside the picture:
 * [taps · count], taps in raster order.
 *
 * @param pictures 0/1 pixels [count · rows · columns]
 */
export function livePixels(
  pictures: Uint8Array,
  count: number,
  { rows, columns }: PictureSize,
  place: { readonly row: number; readonly column: number },
  kernelSize: number,
): Float32Array {
  const taps = liveTaps(kernelSize, 'A');
  const reach = (kernelSize - 1) / 2;
  const values = new Float32Array(taps * count);
  for (let tap = 0; tap < taps; tap++) {
    const row = place.row + Math.floor(tap / kernelSize) - reach;
    const column = place.column + (tap % kernelSize) - reach;
    if (row >= 0 && column >= 0 && column < columns) {
      for (let picture = 0; picture < count; picture++) {
        values[tap * count + picture] = pictures[(picture * rows + row) * columns + column] ?? 0;
      }
    }
  }
  return values;
}
