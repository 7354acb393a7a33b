import type { Curve } from '../charts/curve.ts';
import { formatDuration, formatMetricOf, formatName, formatRate } from '../formatting.ts';
import { bestPoint } from '../state/run-curves.ts';
import { type Line, paintLine } from '../text/line.ts';
import type { Pane } from './pane.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  cell(epoch: number): string;
}

/** One line an epoch: training and validation of each metric, and what it cost. */
export const epochsPane: Pane = ({ view, metrics, ui, look }, size) => {
  const focused = ui.pane === 'epochs';
  const { painter, glyphs } = look;
  const at = (split: string, name: string) => {
    const series = view.series.get(`${split}/${name}/epoch`);
    const byEpoch = new Map<number, number>();
    for (let index = 0; series && index < series.length; index += 1)
      byEpoch.set(series.epochs[index] ?? 0, series.values[index] ?? Number.NaN);
    return byEpoch;
  };
  const columns: Column[] = [];
  for (const { name, validation, trainEpoch } of metrics) {
    for (const [split, short, curve] of [
      ['train', 'train', trainEpoch],
      ['validation', 'val', validation],
    ] as const) {
      if (!curve) continue;
      const values = at(split, name);
      const title = `${short} ${formatName(name)}`;
      columns.push({
        title,
        width: Math.max(9, title.length),
        cell: (epoch) =>
          values.has(epoch) ? formatMetricOf(name, values.get(epoch) ?? Number.NaN) : '',
      });
    }
  }
  const done = new Map(view.epochsDone.map((event) => [event.epoch, event]));
  columns.push({
    title: 'time',
    width: 8,
    cell: (epoch) => formatDuration((done.get(epoch)?.seconds ?? Number.NaN) * 1000),
  });
  columns.push({
    title: 'examples',
    width: 9,
    cell: (epoch) => formatRate(done.get(epoch)?.examplesPerSecond ?? Number.NaN),
  });
  let room = size.width - 7;
  const shown = columns.filter(({ width }) => {
    const fits = room >= width + 2;
    if (fits) room -= width + 2;
    return fits;
  });
  const loss = metrics.find(({ name }) => name === 'loss') ?? metrics[0];
  const bestIndex = loss?.validation && bestPoint(loss.validation, loss.name);
  const best =
    bestIndex === undefined
      ? undefined
      : view.series.get(`validation/${loss?.name}/epoch`)?.epochs[bestIndex];
  const epochs = [...done.keys()].sort((a, b) => a - b);
  const visible = Math.max(0, size.height - 1);
  const end = Math.max(Math.min(visible, epochs.length), epochs.length - ui.epochBack);
  const rows = epochs.slice(Math.max(0, end - visible), end).map((epoch): Line => {
    const isBest = epoch === best;
    return [
      [isBest ? `${glyphs.star} ` : '  ', 'good'],
      [String(epoch).padStart(5)],
      ...shown.map(({ cell, width }): [string, 'plain' | 'good' | 'bad'] => {
        const text = cell(epoch);
        return [
          `  ${text.padStart(width)}`,
          /^(NaN|[+-]Inf)$/.test(text) ? 'bad' : isBest ? 'good' : 'plain',
        ];
      }),
    ];
  });
  const titles: Line = [
    ['  epoch', 'label'],
    ...shown.map(({ title, width }): [string, 'label'] => [`  ${title.padStart(width)}`, 'label']),
  ];
  const waited = epochsSinceBest(loss?.validation, bestIndex);
  const patience: Line =
    view.patience > 0
      ? [
          [
            `patience ${waited}/${view.patience}`,
            waited > 0 && waited >= view.patience - 1 ? 'warning' : 'label',
          ],
        ]
      : [];
  return {
    frame: { title: [['epochs', focused ? 'accentStrong' : 'strong']], note: patience, focused },
    rows: [
      paintLine(titles, size.width, painter),
      ...(rows.length > 0
        ? rows
        : [[['  the first epoch is not over yet', 'label']] satisfies Line]
      ).map((line) => paintLine(line, size.width, painter)),
    ],
  };
};

const epochsSinceBest = (curve: Curve | undefined, best: number | undefined): number =>
  curve && best !== undefined ? curve.length - 1 - best : 0;
