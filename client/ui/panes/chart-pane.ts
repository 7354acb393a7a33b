import { type ChartCurve, type ChartMark, chartRows } from '../charts/chart.ts';
import type { Curve } from '../charts/curve.ts';
import { formatMetricOf, formatName } from '../formatting.ts';
import { bestPoint, type MetricCurves, newestValue } from '../state/run-curves.ts';
import { isColourless } from '../style/painter.ts';
import { joinFitting, type Line, paintLine, type Span } from '../text/line.ts';
import type { Pane, PaneContent, RunContext, Size } from './pane.ts';

/** What the metric's values are counted in, where that is not clear from its name. */
const unitOf = (name: string): string | undefined =>
  /loss$|^nats$/i.test(name) ? 'nats an example' : undefined;

/** The chosen metric over steps: training, validation and test in one chart. */
export const chartPane: Pane = (context, size) =>
  metricPane(context, size, context.ui.metric, context.ui.pane === 'chart');

/** The metric after the chosen one, for screens with room for two. */
export const secondChartPane: Pane = (context, size) =>
  metricPane(context, size, context.ui.metric + 1, false);

function metricPane(context: RunContext, size: Size, index: number, focused: boolean): PaneContent {
  const { metrics, ui, look } = context;
  const metric = metrics.length > 0 ? metrics[index % metrics.length] : undefined;
  if (!metric) {
    return {
      frame: { title: [['loss', focused ? 'accentStrong' : 'strong']], focused },
      rows: chartRows({ curves: [], ...size, logarithmic: false }, look),
    };
  }
  const unit = unitOf(metric.name);
  const notes: Span[] = [];
  const weight = metric.trainStep?.smoothing ?? 0;
  if (weight > 0) notes.push([`smoothed ${weight}`, 'label']);
  if (ui.logarithmic)
    notes.push([`${notes.length > 0 ? ` ${look.glyphs.separator} ` : ''}log y`, 'label']);
  if (ui.robust)
    notes.push([`${notes.length > 0 ? ` ${look.glyphs.separator} ` : ''}y: middle 98%`, 'accent']);
  if (metrics.length > 1 && focused)
    notes.push([
      `${notes.length > 0 ? ` ${look.glyphs.separator} ` : ''}${look.glyphs.left} ${(index % metrics.length) + 1}/${metrics.length} ${look.glyphs.right}`,
      'label',
    ]);
  const withLegend = size.height >= 7;
  const rows = chartRows(
    {
      curves: curvesOf(metric),
      marks: marksOf(metric, context),
      width: size.width,
      height: size.height - (withLegend ? 1 : 0),
      logarithmic: ui.logarithmic,
      robust: ui.robust,
    },
    look,
  );
  return {
    frame: {
      title: [
        [formatName(metric.name), focused ? 'accentStrong' : 'strong'],
        ...(unit ? ([[`  ${unit}`, 'label']] satisfies Line) : []),
      ],
      note: notes,
      focused,
    },
    rows: withLegend
      ? [paintLine(legend(metric, context, size.width), size.width, look.painter), ...rows]
      : rows,
  };
}

function curvesOf({ trainStep, trainEpoch, validation, test }: MetricCurves): ChartCurve[] {
  const curves: ChartCurve[] = [];
  if (trainStep) curves.push({ curve: trainStep, style: 'train', rawStyle: 'trainRaw' });
  // The mean of an epoch says little beside the smoothed batches; alone, it is all there is.
  else if (trainEpoch) curves.push({ curve: trainEpoch, style: 'train', marked: true });
  if (validation)
    curves.push({ curve: validation, style: 'validation', marked: true, dashed: true });
  if (test) curves.push({ curve: test, style: 'test', marked: true, dashed: true });
  return curves;
}

function marksOf({ name, validation }: MetricCurves, { look }: RunContext): ChartMark[] {
  const best = validation && bestPoint(validation, name);
  if (!validation || best === undefined) return [];
  return [
    {
      step: validation.steps[best] ?? 0,
      value: validation.values[best] ?? Number.NaN,
      glyph: look.glyphs.best,
      style: 'good',
    },
  ];
}

/** `━ train 0.0341   ━ validation 0.0522   ▲ best 0.0498 @ epoch 6`. */
function legend(metric: MetricCurves, { view, look }: RunContext, width: number): Line {
  const { glyphs } = look;
  const items: Line[] = [];
  const newest = (curve: Curve): string => formatMetricOf(metric.name, newestValue(curve));
  const train = metric.trainStep ?? metric.trainEpoch;
  if (train) items.push([[`${glyphs.swatch} `, 'train'], ['train ', 'label'], [newest(train)]]);
  if (metric.validation)
    items.push([
      [`${isColourless(look.painter) ? glyphs.dashedSwatch : glyphs.swatch} `, 'validation'],
      ['validation ', 'label'],
      [newest(metric.validation)],
    ]);
  const best = metric.validation && bestPoint(metric.validation, metric.name);
  if (metric.validation && best !== undefined) {
    const epoch = epochAt(view.series.get(`validation/${metric.name}/epoch`)?.epochs, best);
    items.push([
      [`${glyphs.best} `, 'good'],
      ['best ', 'label'],
      [formatMetricOf(metric.name, metric.validation.values[best] ?? Number.NaN)],
      [epoch === undefined ? '' : ` @ epoch ${epoch}`, 'label'],
    ]);
  }
  if (metric.test)
    items.push([[`${glyphs.dot} `, 'test'], ['test ', 'label'], [newest(metric.test)]]);
  return joinFitting(items, ['   '], width);
}

const epochAt = (epochs: Float64Array | undefined, index: number): number | undefined =>
  epochs?.[index];
