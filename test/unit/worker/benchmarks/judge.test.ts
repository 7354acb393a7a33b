import { describe, expect, it } from 'vitest';
import { type BenchmarkCase, benchmarkCases } from '../../../../worker/benchmarks/cases.ts';
import { judgeCase, type Result } from '../../../../worker/benchmarks/judge.ts';
import type { ParticipantName } from '../../../../worker/benchmarks/participants.ts';

const lstm = benchmarkCases.find(({ name }) => name === 'lstm') as BenchmarkCase;

const result = (participant: ParticipantName, ...wall: number[]): Result => ({
  participant,
  title: participant,
  turns: wall.map((ms) => ({ wall: ms, best: ms, processor: 2 * ms })),
});

/** A matrix product of 1 GFLOP that takes 5 ms at best: 200 GFLOP/s. */
const product = {
  operations: 1e9,
  turns: [
    { wall: 6, best: 5, processor: 10 },
    { wall: 9, best: 8, processor: 16 },
  ],
};

describe('the figures of a case', () => {
  const arithmetic = { operations: 2e9, formula: 'two GFLOP' };
  const played: BenchmarkCase = {
    ...lstm,
    arithmetic,
    targets: [
      { than: 'keras', atLeast: 3 },
      { than: 'pytorch', atLeast: 5 },
      { than: 'best peer', atLeast: 1.2 },
      { withinLimit: 1.6 },
      { atMostMs: 10 },
    ],
  };
  const missing = [{ participant: 'pytorch', title: 'PyTorch', reason: 'no', remedy: 'install' }];
  const report = judgeCase(
    played,
    [result('teletrain', 14, 16), result('keras', 42, 64), result('operations', 15, 15)],
    missing,
    product,
  );

  it('compare each with ours round by round, and ours with nobody', () => {
    expect(report.measurements.map(({ ratio }) => ratio?.rounds)).toEqual([
      undefined,
      [3, 4],
      [15 / 14, 15 / 16],
    ]);
  });

  it('set the limit by the best matrix product of all rounds', () => {
    expect(report.limit).toMatchObject({ ...arithmetic, gigaflops: 200, milliseconds: 10 });
    expect(report.limit?.ratio).toMatchObject({ min: 1.4, max: 1.6, median: 1.5 });
  });

  it('judge each target by its median, and say which could not be judged', () => {
    expect(report.targets).toEqual([
      { text: '>= 3x Keras', about: 'keras', value: 3.5, verdict: 'met' },
      { text: '>= 5x PyTorch', about: 'pytorch', verdict: 'not measured' },
      // Ours in another form is no peer.
      { text: '>= 1.2x the best peer', about: 'keras', value: 3.5, verdict: 'met' },
      { text: 'within 1.6x', about: 'limit', value: 1.5, verdict: 'met' },
      { text: '<= 0.01 s', about: 'teletrain', value: 15, verdict: 'missed' },
    ]);
  });

  it('keep who is missing', () => {
    expect(report.missing).toEqual(missing);
  });
});

it('a step of many operations gives the time of one', () => {
  const dispatch = benchmarkCases.find(({ name }) => name === 'dispatch') as BenchmarkCase;
  const report = judgeCase(dispatch, [result('teletrain', 120)], []);
  expect(report.measurements[0]?.wall.median).toBeCloseTo(0.006, 9);
});

it('without ours there is nothing to judge, and that is told', () => {
  const missing = [{ participant: 'teletrain', title: 'teletrain', reason: 'no', remedy: 'mend' }];
  const report = judgeCase(lstm, [], missing);
  expect(report.measurements).toEqual([]);
  expect(new Set(report.targets.map(({ verdict }) => verdict))).toEqual(new Set(['not measured']));
});
