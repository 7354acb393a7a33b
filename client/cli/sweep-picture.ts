import type { SweepLine, SweepReport } from '../../shared/benchmark-report.ts';

/**
 * A sweep as an SVG picture: a panel for each size that grows, a line for each layer, both axes
 * logarithmic. Level lines mean that cost grows as the work does; a cliff would be a step upwards.
 * It follows the reader's light or dark colours.
 */

const panel = { width: 300, height: 250, gap: 26 };
const margin = { left: 62, right: 16, top: 56, bottom: 84 };

const layers: readonly { layer: SweepLine['layer']; light: string; dark: string; dash: string }[] =
  [
    { layer: 'SimpleRNN', light: '#0b6bcb', dark: '#6cb2ff', dash: '' },
    { layer: 'GRU', light: '#1a7f37', dark: '#56d364', dash: '7 3' },
    { layer: 'LSTM', light: '#b3400e', dark: '#ffa657', dash: '2 3' },
    { layer: 'DiagonalLSTM', light: '#8250df', dark: '#d2a8ff', dash: '9 3 2 3' },
  ];

const axisTitles: Readonly<Record<SweepLine['axis'], string>> = {
  batch: 'batch',
  timesteps: 'timesteps',
  units: 'units',
};

export function sweepPicture(report: SweepReport): string {
  const axes = (['batch', 'timesteps', 'units'] as const).filter((axis) =>
    report.lines.some((line) => line.axis === axis),
  );
  const width =
    margin.left + axes.length * panel.width + (axes.length - 1) * panel.gap + margin.right;
  const height = margin.top + panel.height + margin.bottom;
  const vertical = verticalScale(report.lines);
  const panels = axes.map((axis, place) => {
    const left = margin.left + place * (panel.width + panel.gap);
    const lines = report.lines.filter((line) => line.axis === axis);
    return panelOf(axis, lines, left, vertical, place === 0);
  });
  const { cpu, threads } = report.machine;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<style>${styles()}</style>`,
    `<rect class="back" width="${width}" height="${height}" rx="6"/>`,
    text(margin.left, 22, 'Time of one floating-point operation, picoseconds', 'title'),
    text(
      margin.left,
      40,
      escapeXml(`forward and backward of one layer; ${cpu}, ${threads} threads`),
      'soft',
    ),
    ...panels,
    ...legend(height - 18),
    '</svg>',
    '',
  ].join('\n');
}

function styles(): string {
  const of = (scheme: 'light' | 'dark') =>
    layers.map(
      (layer, index) => `.l${index}{stroke:${layer[scheme]}}.d${index}{fill:${layer[scheme]}}`,
    );
  return [
    '.back{fill:#fff}text{fill:#1f2328}.soft{fill:#59636e}.title{font-size:14px;font-weight:600}',
    '.grid{fill:none;stroke:#d1d9e0}.line{fill:none;stroke-width:2}',
    ...of('light'),
    '@media(prefers-color-scheme:dark){',
    '.back{fill:#0d1117}text{fill:#e6edf3}.soft{fill:#9198a1}.grid{stroke:#30363d}',
    ...of('dark'),
    '}',
  ].join('');
}

type Scale = (value: number) => number;

interface VerticalScale {
  readonly at: Scale;
  readonly ticks: readonly number[];
}

/** All panels share it, so that their heights compare. */
function verticalScale(lines: readonly SweepLine[]): VerticalScale {
  const values = lines.flatMap(({ points }) =>
    points.map(({ picosecondsAnOperation }) => picosecondsAnOperation),
  );
  const [low, high] = [Math.min(...values) / 1.15, Math.max(...values) * 1.15];
  const bottom = margin.top + panel.height;
  const at = logarithmic(low, high, bottom, margin.top);
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
  return { at, ticks: ticks.filter((tick) => tick >= low && tick <= high) };
}

function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const span = Math.log(high / low) || 1;
  return (value) => from + ((to - from) * Math.log(value / low)) / span;
}

function panelOf(
  axis: SweepLine['axis'],
  lines: readonly SweepLine[],
  left: number,
  vertical: VerticalScale,
  isFirst: boolean,
): string {
  const values = lines.flatMap(({ points }) => points.map(({ value }) => value));
  const right = left + panel.width;
  const bottom = margin.top + panel.height;
  const horizontal = logarithmic(Math.min(...values), Math.max(...values), left + 10, right - 10);
  const rows = vertical.ticks.flatMap((tick) => {
    const y = round(vertical.at(tick));
    const label = isFirst ? [text(left - 8, y + 4, String(tick), 'soft', 'end')] : [];
    return [`<path class="grid" d="M${left} ${y}H${right}"/>`, ...label];
  });
  const columns = spacedLabels([...new Set(values)], horizontal).map((value) =>
    text(round(horizontal(value)), bottom + 18, String(value), 'soft', 'middle'),
  );
  return [
    ...rows,
    `<path class="grid" d="M${left} ${margin.top}V${bottom}H${right}"/>`,
    ...columns,
    text((left + right) / 2, bottom + 38, axisTitles[axis], 'axis', 'middle'),
    ...lines.map((line) => curve(line, horizontal, vertical.at)),
  ].join('\n');
}

/** The values whose labels do not run into the next larger one's. */
function spacedLabels(values: readonly number[], scale: Scale): number[] {
  const kept: number[] = [];
  for (const value of [...values].sort((a, b) => b - a)) {
    const larger = kept.at(-1);
    if (larger === undefined || scale(larger) - scale(value) >= 26) kept.push(value);
  }
  return kept;
}

function curve({ layer, points }: SweepLine, horizontal: Scale, vertical: Scale): string {
  const index = layers.findIndex((known) => known.layer === layer);
  const places = points.map(({ value, picosecondsAnOperation }) => [
    round(horizontal(value)),
    round(vertical(picosecondsAnOperation)),
  ]);
  const path = places.map(([x, y], place) => `${place === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  const dots = places.map(([x, y]) => `<circle class="d${index}" cx="${x}" cy="${y}" r="2.5"/>`);
  return `<path class="line l${index}" ${dash(index)}d="${path}"/>${dots.join('')}`;
}

function legend(y: number): string[] {
  return layers.map(({ layer }, index) => {
    const x = margin.left + index * 150;
    const stroke = `<path class="line l${index}" ${dash(index)}d="M${x} ${y - 4}h34"/>`;
    return `${stroke}${text(x + 42, y, layer === 'DiagonalLSTM' ? 'Diagonal LSTM' : layer, 'axis')}`;
  });
}

function dash(index: number): string {
  const pattern = layers[index]?.dash;
  return pattern ? `stroke-dasharray="${pattern}" ` : '';
}

function text(x: number, y: number, content: string, style: string, anchor = 'start'): string {
  return `<text class="${style}" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const escapeXml = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
