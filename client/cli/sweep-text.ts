import type { SweepLine, SweepReport } from '../../shared/benchmark-report.ts';
import { machineLines, time } from './bench-text.ts';
import { formatTable } from './table.ts';

/** The machine, a table for each line, and where each line rises most. */
export function sweepLines(report: SweepReport): string[] {
  return [
    ...machineLines(report),
    ...report.lines.flatMap((line) => ['', heading(line), ...table(line), riseText(line)]),
  ];
}

/** Where the time of an operation rises most from a size to the next larger one. */
export interface Rise {
  readonly from: number;
  readonly to: number;
  /** At most 1: it never rises. */
  readonly ratio: number;
}

/** A cliff would be a ratio well above 1. @returns undefined of fewer than two points */
export function steepestRise({ points }: SweepLine): Rise | undefined {
  const rises = points.slice(1).map((point, index): Rise => {
    // There is one before each but the first.
    const before = points[index] as SweepLine['points'][number];
    const ratio = point.picosecondsAnOperation / before.picosecondsAnOperation;
    return { from: before.value, to: point.value, ratio };
  });
  return rises.reduce<Rise | undefined>(
    (steepest, rise) => (steepest && steepest.ratio >= rise.ratio ? steepest : rise),
    undefined,
  );
}

function heading({ layer, axis, fixed, note }: SweepLine): string {
  const named = Object.entries(fixed).filter(([size]) => size !== axis);
  const sizes = named.map(([size, value]) =>
    layer === 'DiagonalLSTM' && size === 'timesteps' ? '28 x 28 pixels' : `${size} ${value}`,
  );
  return [`${layer} by ${axis}`, sizes.join(', '), 'forward and backward', note ?? []]
    .flat()
    .join('; ');
}

function table({ axis, points }: SweepLine): string[] {
  const rows = points.map(({ value, milliseconds, picosecondsAnOperation }) => [
    String(value).padStart(axis.length),
    time(milliseconds).padStart(8),
    picosecondsAnOperation.toPrecision(3).padStart(12),
  ]);
  return formatTable([axis, '    time', 'ps/operation'], rows).map((line) => `  ${line}`);
}

function riseText(line: SweepLine): string {
  const rise = steepestRise(line);
  if (rise === undefined || rise.ratio <= 1) return '  never rises';
  return `  rises most from ${rise.from} to ${rise.to}: ${rise.ratio.toFixed(2)}x`;
}
