import { describe, expect, it } from 'vitest';
import { sweepPicture } from '../../../../client/cli/sweep-picture.ts';
import { steepestRise, sweepLines } from '../../../../client/cli/sweep-text.ts';
import type { SweepLine, SweepReport } from '../../../../shared/benchmark-report.ts';

const line = (
  layer: SweepLine['layer'],
  axis: SweepLine['axis'],
  picoseconds: Readonly<Record<number, number>>,
): SweepLine => ({
  ...{ layer, axis, fixed: { batch: 128, timesteps: 100, units: 32 } },
  points: Object.entries(picoseconds).map(([value, picosecondsAnOperation]) => ({
    ...{ value: Number(value), milliseconds: picosecondsAnOperation, operations: 1e9 },
    picosecondsAnOperation,
  })),
});

const report: SweepReport = {
  ...{ format: 1, version: '0.1.0', startedAt: '2026-11-23T05:00:00.000Z', seconds: 61, rounds: 3 },
  machine: {
    ...{ cpu: 'A <CPU> & more', cpuFeatures: [], threads: 2, memoryBytes: 1, system: 'Linux' },
    ...{ load: { before: 0, after: 0 }, versions: {} },
  },
  lines: [
    line('LSTM', 'batch', { 1: 60, 16: 20, 256: 15 }),
    line('GRU', 'units', { 8: 40, 32: 16, 33: 24, 512: 12 }),
  ],
};

describe('a sweep', () => {
  it('tells where the time of an operation rises most', () => {
    expect(report.lines.map(steepestRise)).toEqual([
      { from: 16, to: 256, ratio: 0.75 },
      { from: 32, to: 33, ratio: 1.5 },
    ]);
    const text = sweepLines(report);
    expect(text).toContain('  never rises');
    expect(text).toContain('  rises most from 32 to 33: 1.50x');
  });

  it('says of a layer that our kernel does not compute what does', () => {
    const [lstm] = report.lines;
    const lines = lstm ? [{ ...lstm, note: 'LSTM by block' }] : [];
    expect(sweepLines({ ...report, lines })).toContain(
      'LSTM by batch; timesteps 100, units 32; forward and backward; LSTM by block',
    );
  });

  it('is a picture with a panel for each size that grows and a dot for each point', () => {
    const svg = sweepPicture(report);
    expect(svg.match(/<circle/g)).toHaveLength(7);
    expect(svg).toContain('>batch</text>');
    expect(svg).toContain('>units</text>');
    expect(svg).not.toContain('>timesteps</text>');
    expect(svg).toContain('A &lt;CPU&gt; &amp; more');
  });

  it('is drawn with more time higher up, and more work further right', () => {
    const places = [...sweepPicture(report).matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(
      ([, x, y]) => ({ x: Number(x), y: Number(y) }),
    );
    const [first, second, third] = places as [
      { x: number; y: number },
      (typeof places)[0],
      (typeof places)[0],
    ];
    expect(first.x).toBeLessThan(second?.x ?? 0);
    expect(first.y).toBeLessThan(second?.y ?? 0);
    expect(second?.y).toBeLessThan(third?.y ?? 0);
  });

  it('has colours for readers in the light and in the dark', () => {
    const svg = sweepPicture(report);
    expect(svg).toContain('@media(prefers-color-scheme:dark)');
    expect(svg.match(/\.back\{fill:/g)).toHaveLength(2);
  });
});
