import { formatShortCount } from '../formatting.ts';
import type { Look } from '../style/look.ts';
import { isColourless } from '../style/painter.ts';
import type { StyleName } from '../style/theme.ts';
import type { Row } from '../text/line.ts';
import type { Curve } from './curve.ts';
import { drawSource, measured, type Plot, type Source, smoothed } from './curve-dots.ts';
import { asciiShape, brailleShape, Dots } from './dots.ts';
import { linearScale, stepLabels, tickLabels, ticks } from './scale.ts';
import { robustScale, valueScale } from './value-scale.ts';

export interface ChartCurve {
  readonly curve: Curve;
  readonly style: StyleName;
  /** Style of the points as measured, behind the smoothed curve. Default: they are not drawn. */
  readonly rawStyle?: StyleName;
  /** Each point gets a mark of its own while they are few, as for a value an epoch. Default: false. */
  readonly marked?: boolean;
  /** Told apart by dashes where there is no colour. Default: false. */
  readonly dashed?: boolean;
}

export interface ChartMark {
  readonly step: number;
  readonly value: number;
  readonly glyph: string;
  readonly style: StyleName;
}

export interface ChartOptions {
  /** Drawn in this order: the last is on top. */
  readonly curves: readonly ChartCurve[];
  readonly width: number;
  readonly height: number;
  readonly logarithmic: boolean;
  /** The values' axis leaves out the outermost hundredth at both ends; what lies there is drawn on the edge. Default: false. */
  readonly robust?: boolean;
  readonly marks?: readonly ChartMark[];
  /** Steps at the left and right edge. Default: from 0 to the last step of any curve. */
  readonly domain?: readonly [from: number, to: number];
}

/**
 * A line chart as exactly `height` rows of `width` cells: values at the left, steps below. Every
 * dot column shows the smallest and the largest of its points, so no spike is lost however many
 * there are; a value that is not finite is a gap and a mark on the axis.
 */
export function chartRows(options: ChartOptions, look: Look): Row[] {
  const { width, height } = options;
  const { painter } = look;
  const blank = ' '.repeat(Math.max(0, width));
  const curves = options.curves.filter(({ curve }) => curve.length > 0);
  const drawn = curves.map(({ curve }) => curve);
  const y = options.robust
    ? robustScale(drawn, options.logarithmic)
    : valueScale(drawn, options.logarithmic);
  const anyPoints = curves.length > 0;
  if (width < 4 || height < 1) return Array.from({ length: Math.max(0, height) }, () => blank);
  const lastStep = Math.max(1, ...curves.map(({ curve }) => curve.steps[curve.length - 1] ?? 0));
  const x = linearScale(...(options.domain ?? [0, lastStep]));
  if (!y) return emptyChart(anyPoints ? notDrawable(options) : 'no points yet', options, look);

  const withAxis = height >= 5 && width >= 24;
  const rows = withAxis ? height - 2 : height;
  const yTicks = ticks(y, Math.max(2, Math.min(7, Math.floor(rows / 2))));
  const yLabels = tickLabels(yTicks, y.kind);
  const labelWidth = withAxis ? Math.max(0, ...yLabels.map((label) => label.length)) : 0;
  const columns = Math.max(1, width - (withAxis ? labelWidth + 2 : 0));
  const plot: Plot = { columns, rows, x, y };

  const labels = new Map<number, string>();
  yTicks.forEach((value, index) => {
    const row = Math.round((1 - y.place(value)) * (rows - 1));
    if (row >= 0 && row < rows && !labels.has(row)) labels.set(row, yLabels[index] ?? '');
  });
  const area = plotRows(plot, curves, options, new Set(labels.keys()), look);
  if (!withAxis) return area.map((row) => row + ' '.repeat(width - columns));
  const axisEnd = look.glyphs.unicode ? '┤' : '+';
  const axisSide = look.glyphs.unicode ? '│' : '|';
  const painted = area.map((row, index) => {
    const label = labels.get(index);
    return (
      painter.paint((label ?? '').padStart(labelWidth), 'label') +
      painter.paint(` ${label === undefined ? axisSide : axisEnd}`, 'faint') +
      row
    );
  });
  return [...painted, ...stepAxis(plot, labelWidth, width, look)];
}

const notDrawable = (options: ChartOptions): string =>
  options.logarithmic &&
  valueScale(
    options.curves.map(({ curve }) => curve),
    false,
  )
    ? 'no value above 0: y shows them'
    : 'no finite value yet';

function emptyChart(message: string, { width, height }: ChartOptions, { painter }: Look): Row[] {
  const text = message.slice(0, width);
  const left = Math.floor((width - text.length) / 2);
  return Array.from({ length: height }, (_, row) =>
    row === Math.floor(height / 2)
      ? ' '.repeat(left) + painter.paint(text, 'label') + ' '.repeat(width - left - text.length)
      : ' '.repeat(width),
  );
}

function stepAxis(
  { columns, x }: Plot,
  labelWidth: number,
  width: number,
  { painter, glyphs }: Look,
): Row[] {
  const values = ticks(x, Math.max(2, Math.floor(columns / 12))).filter(Number.isInteger);
  const labels = stepLabels(values);
  const rule: string[] = Array.from({ length: columns }, () => glyphs.horizontal);
  const text = Array.from({ length: columns }, () => ' ');
  let free = 0;
  values.forEach((value, index) => {
    const column = Math.min(columns - 1, Math.max(0, Math.round(x.place(value) * (columns - 1))));
    const label = labels[index] ?? formatShortCount(value);
    const start = Math.max(
      0,
      Math.min(columns - label.length, column - Math.floor(label.length / 2)),
    );
    rule[column] = glyphs.unicode ? '┬' : '+';
    if (start < free) return;
    for (let at = 0; at < label.length; at += 1) text[start + at] = label[at] ?? ' ';
    free = start + label.length + 1;
  });
  const unit = 'step';
  // The axis says what it counts, where no label is in the way.
  if (columns - free > unit.length + 1) text.splice(columns - unit.length, unit.length, ...unit);
  const corner = glyphs.unicode ? '└' : '+';
  return [
    `${' '.repeat(labelWidth + 1)}${painter.paint(corner + rule.join(''), 'faint')}${' '.repeat(Math.max(0, width - labelWidth - 2 - columns))}`,
    `${' '.repeat(labelWidth + 2)}${painter.paint(text.join(''), 'label')}${' '.repeat(Math.max(0, width - labelWidth - 2 - columns))}`,
  ];
}

interface Layer {
  readonly dots: Dots;
  readonly style: StyleName;
}

function plotRows(
  plot: Plot,
  curves: readonly ChartCurve[],
  options: ChartOptions,
  guides: ReadonlySet<number>,
  look: Look,
): Row[] {
  const { columns, rows } = plot;
  const shape = look.glyphs.unicode ? brailleShape : asciiShape;
  const raw: Layer[] = [];
  const layers: Layer[] = [];
  const overlay = new Map<number, { glyph: string; style: StyleName }>();
  const at = (step: number, value: number): number | undefined => {
    const [across, up] = [plot.x.place(step), plot.y.place(value)];
    if (!(across >= 0 && across <= 1 && up >= 0 && up <= 1)) return undefined;
    const row = Math.min(rows - 1, Math.floor((1 - up) * rows));
    return row * columns + Math.min(columns - 1, Math.floor(across * columns));
  };
  const colourless = isColourless(look.painter);

  for (const { curve, style, rawStyle, marked, dashed } of curves) {
    const draw = (source: Source): { dots: Dots; gaps: Set<number> } => {
      const dots = new Dots(shape, columns, rows);
      return { dots, gaps: drawSource(dots, source, plot, colourless && dashed === true) };
    };
    if (curve.smoothing > 0 && rawStyle)
      raw.push({ dots: draw(measured(curve)).dots, style: rawStyle });
    const { dots, gaps } = draw(smoothed(curve));
    layers.push({ dots, style });
    for (const column of gaps)
      overlay.set((rows - 1) * columns + column, {
        glyph: look.glyphs.notFinite,
        style: 'badStrong',
      });
    if (marked && curve.length <= columns / 3) {
      for (let index = 0; index < curve.length; index += 1) {
        const cell = at(curve.steps[index] ?? 0, curve.values[index] ?? Number.NaN);
        if (cell !== undefined) overlay.set(cell, { glyph: look.glyphs.dot, style });
      }
    }
  }
  for (const { step, value, glyph, style } of options.marks ?? []) {
    const cell = at(step, value);
    if (cell !== undefined) overlay.set(cell, { glyph, style });
  }
  return Array.from({ length: rows }, (_, row) =>
    paintRow(row, columns, [...raw, ...layers], overlay, guides.has(row), look),
  );
}

function paintRow(
  row: number,
  columns: number,
  layers: readonly Layer[],
  overlay: ReadonlyMap<number, { glyph: string; style: StyleName }>,
  guide: boolean,
  { painter, glyphs }: Look,
): Row {
  let painted = '';
  let run = '';
  let runStyle: StyleName = 'faint';
  const put = (character: string, style: StyleName) => {
    if (style !== runStyle && run !== '') {
      painted += painter.paint(run, runStyle);
      run = '';
    }
    runStyle = style;
    run += character;
  };
  for (let column = 0; column < columns; column += 1) {
    const cell = row * columns + column;
    const mark = overlay.get(cell);
    if (mark) {
      put(mark.glyph, mark.style);
      continue;
    }
    // One curve a cell: two in one cell would have one colour and look like a thick line of that colour.
    const layer = layers.findLast(({ dots }) => dots.cells[cell]);
    if (layer) put(layer.dots.shape.character(layer.dots.cells[cell] ?? 0), layer.style);
    else if (guide) put(glyphs.guide, 'faint');
    else put(' ', runStyle);
  }
  return painted + painter.paint(run, runStyle);
}
