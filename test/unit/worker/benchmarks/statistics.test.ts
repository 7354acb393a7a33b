import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quantile, ratioOf, spreadOf } from '../../../../worker/benchmarks/statistics.ts';

const times = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1 });

it('quantiles are numpy’s, interpolated between neighbours', () => {
  // numpy.quantile([7, 1, 3, 10], [0, 0.25, 0.5, 0.75, 1])
  const found = [0, 0.25, 0.5, 0.75, 1].map((part) => quantile([7, 1, 3, 10], part));
  expect(found).toEqual([1, 2.5, 5, 7.75, 10]);
});

it('the median lies between the quartiles, and these between the extremes', () => {
  fc.assert(
    fc.property(times, (rounds) => {
      const { min, lowerQuartile, median, upperQuartile, max } = spreadOf(rounds);
      const ordered = [min, lowerQuartile, median, upperQuartile, max];
      expect(ordered).toEqual([...ordered].sort((a, b) => a - b));
    }),
  );
});

it('a ratio is taken round by round, so a slow round of both leaves it as it is', () => {
  const ours = [10, 10, 30, 10];
  const theirs = [50, 50, 150, 50];
  const ratio = ratioOf(theirs, ours);
  expect(ratio.rounds).toEqual([5, 5, 5, 5]);
  expect([ratio.min, ratio.max]).toEqual([5, 5]);
});

it('rounds that one of the two did not play are an error', () => {
  expect(() => ratioOf([1, 2], [1])).toThrow(RangeError);
});
