import { isFinal } from '../../../shared/events.ts';
import { sparkline } from '../charts/sparkline.ts';
import {
  formatCount,
  formatDuration,
  formatMetricOf,
  formatName,
  formatPercent,
  formatRate,
} from '../formatting.ts';
import { hintRow } from '../keys/hints.ts';
import { chartPane, secondChartPane } from '../panes/chart-pane.ts';
import { checkpointsPane } from '../panes/checkpoints-pane.ts';
import { epochsPane } from '../panes/epochs-pane.ts';
import {
  connectionLine,
  headerRows,
  isOutOfReach,
  progressOf,
  remainingMs,
  stateSpan,
} from '../panes/header.ts';
import { logPane } from '../panes/log-pane.ts';
import { bar, type Pane, type RunContext } from '../panes/pane.ts';
import { samplesPane } from '../panes/samples-pane.ts';
import { systemPane } from '../panes/system-pane.ts';
import { type Alert, alertsOf } from '../state/alerts.ts';
import { refusedInRun } from '../state/refused-keys.ts';
import { bestPoint, newestValue } from '../state/run-curves.ts';
import { panes as paneNames, paneTitles } from '../state/run-ui.ts';
import {
  fill,
  frameRows,
  insideFrame,
  joinFitting,
  type Line,
  paintBetween,
  paintLine,
  type Row,
} from '../text/line.ts';
import { printable, wrapWords } from '../text/width.ts';
import { layoutKind, layoutRun, type PlacedPane } from './run-layout.ts';

const paneOf: Readonly<Record<PlacedPane['pane'], Pane>> = {
  chart: chartPane,
  chart2: secondChartPane,
  samples: samplesPane,
  epochs: epochsPane,
  checkpoints: checkpointsPane,
  system: systemPane,
  log: logPane,
};

export interface RunScreenOptions {
  readonly columns: number;
  readonly rows: number;
  /** While the display is frozen: how many changes it does not show. */
  readonly frozen?: number;
  /** In place of the key hints, e.g. what a key just did. */
  readonly notice?: Line;
}

/** The run's screen as exactly `rows` rows of `columns` cells. */
export function runScreenRows(context: RunContext, options: RunScreenOptions): Row[] {
  const { columns, rows } = options;
  const kind = layoutKind(columns, rows);
  if (kind === 'line') return fill([oneLine(context, columns)], columns, rows);
  if (kind === 'numbers') return numbersScreen(context, options);
  const header = headerRows(context, columns, options.frozen);
  const alerts = alertRows(
    alertsOf(context.view, context.now),
    columns,
    rows >= 24 ? 3 : 1,
    context,
  );
  const footer = footerRow(context, columns, options.notice);
  const height = rows - header.length - alerts.length - 1;
  const layout = layoutRun({
    width: columns,
    height,
    pane: context.ui.pane,
    zoomed: context.ui.zoomed,
    pictures: context.view.samples.length > 0 || context.view.record.recipe.startsWith('digits'),
    secondChart: context.metrics.length > 1,
  });
  const body = placePanes(layout.panes, context, columns, height);
  if (layout.tabs) body[0] = tabRow(context, columns);
  return [...header, ...alerts, ...body, footer];
}

/** Draws every pane and puts them beside and below each other; their places cover each row from left to right. */
function placePanes(
  panes: readonly PlacedPane[],
  context: RunContext,
  width: number,
  height: number,
): Row[] {
  const drawn = panes
    .map((placed) => {
      const content = paneOf[placed.pane](context, insideFrame(placed.width, placed.height));
      return {
        placed,
        rows: frameRows(content.rows, content.frame, placed.width, placed.height, context.look),
      };
    })
    .sort((a, b) => a.placed.left - b.placed.left);
  return Array.from({ length: height }, (_, row) => {
    let line = '';
    let filled = 0;
    for (const { placed, rows } of drawn) {
      if (row < placed.top || row >= placed.top + placed.height) continue;
      line += ' '.repeat(Math.max(0, placed.left - filled)) + (rows[row - placed.top] ?? '');
      filled = placed.left + placed.width;
    }
    return line + ' '.repeat(Math.max(0, width - filled));
  });
}

function tabRow({ ui, look }: RunContext, width: number): Row {
  const items = paneNames.map(
    (name, index): Line => [
      [`${index + 1}`, ui.pane === name ? 'accentStrong' : 'key'],
      [` ${paneTitles[name]}`, ui.pane === name ? 'accentStrong' : 'label'],
    ],
  );
  return paintLine(
    [[' '], ...joinFitting(items, [width < 64 ? ' ' : '  '], width - 1)],
    width,
    look.painter,
  );
}

const alertSigns = { info: 'label', warning: 'warning', bad: 'badStrong' } as const;

function alertRows(
  alerts: readonly Alert[],
  width: number,
  most: number,
  { look }: RunContext,
): Row[] {
  const rows: Line[] = [];
  for (const { level, text } of alerts) {
    const style = alertSigns[level];
    const sign = level === 'info' ? look.glyphs.dot : look.glyphs.warning;
    wrapWords(printable(text), width - 3).forEach((part, index) => {
      rows.push([
        [` ${index === 0 ? sign : ' '} `, style],
        [part, level === 'bad' ? 'bad' : style],
      ]);
    });
  }
  return rows.slice(0, most).map((line) => paintLine(line, width, look.painter));
}

function footerRow(context: RunContext, width: number, notice: Line | undefined): Row {
  const { view, look } = context;
  if (notice) return paintLine([[' '], ...notice], width, look.painter);
  const ended = isFinal(view.state);
  const hidden = refusedInRun(view);
  if (ended) hidden.push('run.stop', 'run.patience', 'run.epochs');
  if (ended && view.state === 'done') hidden.push('run.pauseOrResume');
  if (!ended && view.connection.kind === 'offline')
    hidden.push('run.stop', 'run.patience', 'run.epochs', 'run.pauseOrResume');
  if (view.samples.length < 2) hidden.push('sample.later');
  if (context.metrics.length < 2) hidden.push('chart.nextMetric');
  const words = {
    'run.pauseOrResume': view.state === 'paused' || ended ? 'resume' : 'pause',
    'run.detach': ended || view.connection.kind === 'offline' ? 'quit' : 'detach',
    'pane.zoom': context.ui.zoomed ? 'unzoom' : 'zoom',
  };
  return ` ${hintRow('run', width - 1, look, words, hidden)}`;
}

function oneLine({ view, look, now, metrics }: RunContext, width: number): Row {
  const loss = metrics[0]?.trainStep ?? metrics[0]?.trainEpoch;
  const remaining = remainingMs(view, now);
  const items: Line[] = [[stateSpan(view, look)]];
  // Before the numbers, which are no news then.
  if (isOutOfReach(view.connection) && !isFinal(view.state))
    items.push([['no connection', 'warning']]);
  items.push([[`${view.epoch}/${view.epochs}`]]);
  if (loss && loss.length > 0)
    items.push([[formatMetricOf(metrics[0]?.name ?? '', newestValue(loss)), 'train']]);
  if (remaining !== undefined) items.push([[formatDuration(remaining), 'label']]);
  return paintLine(joinFitting(items, [' '], width), width, look.painter);
}

/** For small terminals: each number on a line of its own, and the loss as a sparkline. */
function numbersScreen(
  context: RunContext,
  { columns, rows, notice, frozen }: RunScreenOptions,
): Row[] {
  const { view, look, now, metrics } = context;
  const { painter } = look;
  const lines: Row[] = [];
  const put = (label: string, value: Line) =>
    lines.push(paintLine([[label.padEnd(12), 'label'], ...value], columns, painter));
  lines.push(
    paintBetween(
      [
        stateSpan(view, look),
        ...(frozen === undefined ? [] : ([[' FROZEN', 'accentStrong']] satisfies Line)),
      ],
      connectionLine(view.connection, now, look),
      columns,
      painter,
    ),
  );
  const alerts = alertRows(alertsOf(view, now), columns, rows >= 10 ? 2 : 1, context);
  lines.push(...alerts);
  lines.push(
    paintLine(
      [
        [view.record.recipe, 'strong'],
        [view.record.quick ? ' quick' : '', 'warning'],
      ],
      columns,
      painter,
    ),
  );
  const percent = ` ${formatPercent(progressOf(view))}`;
  lines.push(
    bar(
      progressOf(view),
      columns - percent.length,
      view.state === 'done' ? 'good' : 'accent',
      look,
    ) + percent,
  );
  put('epoch', [[`${view.epoch}/${view.epochs}`], ['  step ', 'label'], [formatCount(view.step)]]);
  const remaining = remainingMs(view, now);
  if (!isFinal(view.state)) {
    put('ETA', [
      [remaining === undefined ? '–' : formatDuration(remaining)],
      ['  ', 'label'],
      [
        view.status && view.status.examplesPerSecond > 0
          ? formatRate(view.status.examplesPerSecond)
          : '',
        'label',
      ],
    ]);
  }
  for (const { name, trainStep, trainEpoch, validation } of metrics) {
    const train = trainStep ?? trainEpoch;
    const values: Line[] = [];
    if (train) values.push([[formatMetricOf(name, newestValue(train)), 'train']]);
    if (validation)
      values.push([
        ['val ', 'label'],
        [formatMetricOf(name, newestValue(validation)), 'validation'],
      ]);
    if (values.length > 0)
      put(formatName(name).slice(0, 11), joinFitting(values, ['  '], columns - 12));
    const best = validation && bestPoint(validation, name);
    if (validation && best !== undefined && rows >= 12)
      put('  best', [
        [formatMetricOf(name, validation.values[best] ?? Number.NaN), 'good'],
        ['  at step ', 'label'],
        [formatCount(validation.steps[best] ?? 0)],
      ]);
    if (train && lines.length < rows - 2) lines.push(sparkline(train, columns, 'train', look));
  }
  const homes = view.checkpoints.filter(({ home }) => home.state === 'verified').length;
  if (view.checkpoints.length > 0)
    put('checkpoints', [[`${homes}/${view.checkpoints.length} here`]]);
  const footer = footerRow(context, columns, notice);
  return [...fill(lines, columns, rows - 1), footer];
}
