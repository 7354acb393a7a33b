import type { Look } from '../style/look.ts';
import type { Painter } from '../style/painter.ts';
import type { StyleName } from '../style/theme.ts';
import { displayWidth, takeCells } from './width.ts';

/** A piece of plain text with one style. */
export type Span = readonly [text: string, style?: StyleName];
/** One row before it is painted. */
export type Line = readonly Span[];
/** One painted row: escape sequences in, width known to its maker. */
export type Row = string;

export const lineWidth = (line: Line): number =>
  line.reduce((width, [text]) => width + displayWidth(text), 0);

/** Exactly `width` cells: cut with an ellipsis, or filled with spaces. */
export function paintLine(line: Line, width: number, painter: Painter): Row {
  if (width <= 0) return '';
  const total = lineWidth(line);
  if (total <= width) {
    return (
      line.map(([text, style]) => (style ? painter.paint(text, style) : text)).join('') +
      ' '.repeat(width - total)
    );
  }
  let room = width - 1;
  let row = '';
  for (const [text, style] of line) {
    const taken = takeCells(text, room);
    row += style ? painter.paint(taken, style) : taken;
    room -= displayWidth(taken);
    if (taken.length < text.length) break;
  }
  return `${row}…${' '.repeat(Math.max(0, room))}`;
}

/** `left` and `right` at the two ends of a row; where both do not fit, `right` goes first. */
export function paintBetween(left: Line, right: Line, width: number, painter: Painter): Row {
  const rightWidth = lineWidth(right);
  if (lineWidth(left) + 1 + rightWidth > width) {
    return rightWidth + 12 <= width
      ? paintLine(left, width - rightWidth - 1, painter) +
          ' ' +
          paintLine(right, rightWidth, painter)
      : paintLine(left, width, painter);
  }
  return paintLine(left, width - rightWidth, painter) + paintLine(right, rightWidth, painter);
}

/** Exactly `height` rows of `width` cells: cut below, or filled with empty rows. */
export function fill(rows: readonly Row[], width: number, height: number): Row[] {
  const filled = rows.slice(0, Math.max(0, height));
  while (filled.length < height) filled.push(' '.repeat(Math.max(0, width)));
  return filled;
}

/** As many of `items` as fit beside each other, `gap` between two of them; the first ones matter most. */
export function joinFitting(items: readonly Line[], gap: Span, width: number): Line {
  const joined: Span[] = [];
  let used = 0;
  for (const item of items) {
    const needed = lineWidth(item) + (joined.length > 0 ? displayWidth(gap[0]) : 0);
    if (used + needed > width) break;
    if (joined.length > 0) joined.push(gap);
    joined.push(...item);
    used += needed;
  }
  return joined;
}

export interface Frame {
  readonly title: Line;
  /** At the right end of the top rule. */
  readonly note?: Line;
  readonly focused?: boolean;
}

/** Rows that fit inside a frame of this size, and the cells of each. */
export const insideFrame = (width: number, height: number): { width: number; height: number } => ({
  width: Math.max(0, width - 4),
  height: Math.max(0, height - 2),
});

/**
 * A rounded frame around `rows` (each of `insideFrame().width` cells), its title in the top rule.
 * The result has exactly `height` rows of `width` cells.
 */
export function frameRows(
  rows: readonly Row[],
  frame: Frame,
  width: number,
  height: number,
  { painter, glyphs }: Look,
): Row[] {
  if (width < 8 || height < 3) return fill([], width, height);
  const inside = insideFrame(width, height);
  const rule: StyleName = frame.focused ? 'accent' : 'faint';
  const note =
    frame.note &&
    frame.note.length > 0 &&
    lineWidth(frame.title) + lineWidth(frame.note) + 8 <= width
      ? frame.note
      : [];
  const noteWidth = note.length > 0 ? lineWidth(note) + 2 : 0;
  const titleWidth = Math.min(lineWidth(frame.title), width - 6 - noteWidth);
  const dashes = width - 2 - 1 - (titleWidth + 2) - noteWidth - (noteWidth > 0 ? 1 : 0);
  const top =
    painter.paint(glyphs.topLeft + glyphs.horizontal, rule) +
    ` ${paintLine(frame.title, titleWidth, painter)} ` +
    painter.paint(glyphs.horizontal.repeat(Math.max(0, dashes)), rule) +
    (note.length > 0
      ? ` ${paintLine(note, noteWidth - 2, painter)} ${painter.paint(glyphs.horizontal, rule)}`
      : '') +
    painter.paint(glyphs.topRight, rule);
  const side = painter.paint(glyphs.vertical, rule);
  return [
    top,
    ...fill(rows, inside.width, inside.height).map((row) => `${side} ${row} ${side}`),
    painter.paint(
      glyphs.bottomLeft + glyphs.horizontal.repeat(width - 2) + glyphs.bottomRight,
      rule,
    ),
  ];
}
