import type { Curve } from './curve.ts';
import type { Dots } from './dots.ts';
import { type ExtentIndex, lowerBound } from './extent-index.ts';
import type { Scale } from './scale.ts';

/** Where a chart's parts lie, in cells. */
export interface Plot {
  readonly columns: number;
  readonly rows: number;
  readonly x: Scale;
  readonly y: Scale;
}

/** What a curve is drawn from: its values as measured, or smoothed. */
export interface Source {
  readonly curve: Curve;
  readonly values: Float64Array;
  readonly extents: ExtentIndex;
}

/** A curve as it was measured. */
export const measured = (curve: Curve): Source => ({
  curve,
  values: curve.values,
  extents: curve.extents,
});
/** A curve as it is drawn in front. */
export const smoothed = (curve: Curve): Source =>
  curve.smoothing > 0
    ? { curve, values: curve.smoothed, extents: curve.smoothedExtents }
    : measured(curve);

/**
 * Draws one source, dot column by dot column, and joins what follows on each other.
 * @returns the cell columns in which a value was not finite (or has no place on the scale).
 */
export function drawSource(
  dots: Dots,
  { curve, values, extents }: Source,
  { x, y, columns }: Plot,
  dashed: boolean,
): Set<number> {
  const gaps = new Set<number>();
  const { length, steps } = curve;
  const across = dots.shape.across;
  const lit = dashed ? (column: number) => column % 4 < 2 : undefined;
  const dotRow = (value: number) =>
    Math.round((1 - Math.min(1, Math.max(0, y.place(value)))) * (dots.height - 1));
  const drawable = (value: number) => Number.isFinite(value) && !Number.isNaN(y.place(value));
  const span = x.max - x.min;
  let previous: { x: number; y: number } | undefined;
  let from = lowerBound(steps, length, x.min);
  for (let column = 0; column < dots.width && from < length; column += 1) {
    const edge = x.min + (span * (column + 1)) / dots.width;
    const to =
      column === dots.width - 1
        ? lowerBound(steps, length, x.max * (1 + 1e-12) + 1e-9)
        : lowerBound(steps, length, edge);
    if (to <= from) continue;
    const extent = extents.extent(values, from, to);
    const first = values[from] ?? Number.NaN;
    const last = values[to - 1] ?? Number.NaN;
    const low = y.kind === 'log' ? extent.minPositive : extent.min;
    if (extent.notFinite > 0 || (y.kind === 'log' && extent.min <= 0))
      gaps.add(Math.min(columns - 1, Math.floor(column / across)));
    if (low <= extent.max) {
      if (previous && drawable(first))
        dots.line(previous.x, previous.y, column, dotRow(first), lit);
      const [top, bottom] = [dotRow(extent.max), dotRow(low)];
      // Dashes may leave out a piece of a flat line, never a spike.
      if (!lit || lit(column) || top < bottom) dots.vertical(column, top, bottom);
      previous = drawable(last) ? { x: column, y: dotRow(last) } : undefined;
    } else previous = undefined;
    from = to;
  }
  return gaps;
}
