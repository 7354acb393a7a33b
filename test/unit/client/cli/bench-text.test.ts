import { describe, expect, it } from 'vitest';
import { benchLines, time } from '../../../../client/cli/bench-text.ts';
import type { BenchmarkReport } from '../../../../shared/benchmark-report.ts';

const spread = (median: number) => ({
  ...{ median, min: 0.9 * median, max: 1.2 * median },
  ...{ lowerQuartile: median, upperQuartile: median, rounds: [median] },
});

const report: BenchmarkReport = {
  ...{ format: 1, version: '0.1.0', startedAt: '2026-11-23T05:00:00.000Z', seconds: 61, rounds: 7 },
  machine: {
    ...{ cpu: 'Xeon', cpuFeatures: ['avx2'], threads: 2, memoryBytes: 1e9, system: 'Linux 6' },
    load: { before: 0.1, after: 2 },
    versions: { node: '24.0.0', keras: '3.15.1' },
  },
  cases: [
    {
      ...{ name: 'lstm', title: 'one LSTM(32)', unit: 'training step' },
      measurements: [
        {
          ...{ participant: 'teletrain', title: 'teletrain' },
          ...{ wall: spread(20), processor: spread(38) },
        },
        {
          ...{ participant: 'keras', title: 'Keras', note: 'jit_compile on' },
          ...{ wall: spread(104), processor: spread(200), ratio: spread(5.2) },
        },
      ],
      missing: [
        {
          ...{ participant: 'pytorch', title: 'PyTorch' },
          ...{ reason: 'python has no torch', remedy: 'pip install torch' },
        },
      ],
      limit: {
        ...{ operations: 1e9, formula: 'any', gigaflops: 200, milliseconds: 11 },
        ratio: spread(1.82),
      },
      targets: [
        { text: '>= 3x Keras', about: 'keras', value: 5.2, verdict: 'met' },
        { text: '>= 5x PyTorch', about: 'pytorch', verdict: 'not measured' },
        { text: 'within 1.6x', about: 'limit', value: 1.82, verdict: 'missed' },
      ],
    },
  ],
};

describe('the table of a benchmark', () => {
  const lines = benchLines(report);
  const lineOf = (start: string) => lines.find((line) => line.startsWith(start)) ?? '';

  it('begins with the machine, its programs and what else ran', () => {
    expect(lines[0]).toBe('Xeon, 2 threads (avx2), Linux 6');
    expect(lines[1]).toBe(
      'node 24.0.0, keras 3.15.1; 7 rounds in 61 s, load 0.1 before and 2.0 after',
    );
  });

  it('says of each peer its time, how much faster ours is, and whether that meets the target', () => {
    expect(lineOf('  Keras (jit_compile on)').split(/ {2,}/).slice(1)).toEqual([
      'Keras (jit_compile on)',
      '104 ms',
      '93.6 ms–125 ms',
      '5.20x as fast',
      '4.68x–6.24x',
      '>= 3x Keras',
      'met',
    ]);
    expect(lineOf('  arithmetic limit at 200 GFLOP/s')).toMatch(/11\.0 ms.*1\.82x.*missed$/);
  });

  it('names a missing peer with the reason and what to do, and what stays unjudged', () => {
    const at = lines.findIndex((line) => line.includes('is missing'));
    expect(lines.slice(at)).toEqual([
      '  PyTorch is missing: python has no torch',
      '    pip install torch',
      '  not judged: >= 5x PyTorch',
    ]);
  });

  it('stands in columns', () => {
    const ends = ['  teletrain ', '  Keras', '  arithmetic'].map(
      (start) => / ms/.exec(lineOf(start))?.index,
    );
    expect(new Set(ends).size).toBe(1);
  });
});

it('times have three figures in the unit that suits', () => {
  expect([0.00627, 0.5, 1, 52.04, 104.4, 999.6, 8300].map(time)).toEqual([
    ...['6.27 µs', '500 µs', '1.00 ms', '52.0 ms', '104 ms', '1000 ms', '8.30 s'],
  ]);
});
