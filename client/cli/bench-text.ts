import type {
  BenchmarkList,
  BenchmarkReport,
  CaseReport,
  Spread,
} from '../../shared/benchmark-report.ts';
import { formatTable } from './table.ts';

/** The machine, then a table with a part for each case. A ratio says how many times as fast ours is. */
export function benchLines(report: BenchmarkReport): string[] {
  const parts = report.cases.map(caseRows);
  const [heading = '', ...rows] = formatTable(
    ['', 'median', 'min–max', 'ours is', 'min–max', 'target', ''],
    alignRight(parts.flat(), [1, 2, 3, 4]),
  );
  const lines = [...machineLines(report), '', heading];
  for (const [index, played] of report.cases.entries()) {
    lines.push(`${played.name}: ${played.title}, one ${played.unit}`);
    lines.push(...rows.splice(0, parts[index]?.length ?? 0));
    lines.push(...missingLines(played));
  }
  return lines;
}

export function machineLines({
  machine,
  rounds,
  seconds,
}: Pick<BenchmarkReport, 'machine' | 'rounds' | 'seconds'>): string[] {
  const { cpu, cpuFeatures, threads, system, load, versions } = machine;
  const programs = Object.entries(versions).map(([program, version]) => `${program} ${version}`);
  return [
    `${cpu}, ${threads} threads (${cpuFeatures.join(', ')}), ${system}`,
    `${programs.join(', ')}; ${rounds} rounds in ${seconds.toFixed(0)} s, load ${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after`,
  ];
}

export function benchListLines({ cases }: BenchmarkList): string[] {
  const rows = cases.map(({ name, title, participants, targets }) => [
    name,
    title,
    participants.join(' '),
    targets.join(', '),
  ]);
  return formatTable(['case', 'what', 'peers', 'targets'], rows);
}

function caseRows({ measurements, limit, targets }: CaseReport): string[][] {
  const verdictsOn = (about: string) => {
    const found = targets.filter((target) => target.about === about);
    return [
      found.map(({ text }) => text).join(', '),
      found.map(({ verdict }) => verdict).join(', '),
    ];
  };
  const rows = measurements.map(({ participant, title, wall, ratio, note }) => [
    `  ${title}${note === undefined ? '' : ` (${note})`}`,
    time(wall.median),
    spread(wall, time),
    ...(ratio ? [`${times(ratio.median)} as fast`, spread(ratio, times)] : ['', '']),
    ...verdictsOn(participant),
  ]);
  if (limit) {
    rows.push([
      `  arithmetic limit at ${limit.gigaflops.toFixed(0)} GFLOP/s`,
      time(limit.milliseconds),
      '',
      `${times(limit.ratio.median)} the limit`,
      spread(limit.ratio, times),
      ...verdictsOn('limit'),
    ]);
  }
  return rows;
}

/** Who could not take part, and which targets nobody could judge. */
function missingLines({ missing, targets }: CaseReport): string[] {
  const unjudged = targets.filter(({ verdict }) => verdict === 'not measured');
  return [
    ...missing.flatMap(({ title, reason, remedy }) => [
      `  ${title} is missing: ${reason}`,
      `    ${remedy}`,
    ]),
    ...unjudged.map(({ text }) => `  not judged: ${text}`),
  ];
}

/** Three figures, in the unit that suits. */
export function time(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 1) return `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;
  return `${(1000 * ms).toPrecision(3)} µs`;
}

const times = (ratio: number): string =>
  `${ratio >= 100 ? ratio.toFixed(0) : ratio.toPrecision(3)}x`;

const spread = ({ min, max }: Spread, text: (value: number) => string): string =>
  `${text(min)}–${text(max)}`;

function alignRight(rows: readonly string[][], columns: readonly number[]): string[][] {
  const widthOf = (column: number) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length));
  const widths = new Map(columns.map((column) => [column, widthOf(column)]));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths.get(column) ?? 0)));
}
