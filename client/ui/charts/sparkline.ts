import type { Look } from '../style/look.ts';
import type { StyleName } from '../style/theme.ts';
import type { Row } from '../text/line.ts';
import type { Curve } from './curve.ts';
import { lowerBound } from './extent-index.ts';
import { valueScale } from './value-scale.ts';

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const asciiLevels = ['_', '.', '-', '=', '*', '#'];

/** A curve in one row of `width` cells, each the largest value of its steps; a gap stays empty. */
export function sparkline(
  curve: Curve,
  width: number,
  style: StyleName,
  { painter, glyphs }: Look,
): Row {
  const scale = valueScale([curve], false);
  const lastStep = curve.steps[curve.length - 1] ?? 0;
  const firstStep = curve.steps[0] ?? 0;
  const levels = glyphs.unicode ? blocks : asciiLevels;
  let text = '';
  let from = 0;
  for (let column = 0; column < width; column += 1) {
    const edge = firstStep + ((lastStep - firstStep) * (column + 1)) / width;
    const to = column === width - 1 ? curve.length : lowerBound(curve.steps, curve.length, edge);
    const extent = curve.extents.extent(curve.values, from, to);
    text +=
      !scale || extent.min > extent.max
        ? ' '
        : (levels[
            Math.max(
              0,
              Math.min(levels.length - 1, Math.floor(scale.place(extent.max) * levels.length)),
            )
          ] ?? ' ');
    from = Math.max(from, to);
  }
  return painter.paint(text, style);
}
