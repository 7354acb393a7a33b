import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Curve } from '../../../../../client/ui/charts/curve.ts';
import { ExtentIndex, lowerBound } from '../../../../../client/ui/charts/extent-index.ts';
import { MovingAverage } from '../../../../../client/ui/charts/smoothing.ts';

const anyValue = fc.oneof(
  fc.double({ min: -100, max: 100, noNaN: true }),
  fc.constantFrom(Number.NaN, Infinity, -Infinity),
);

test('an index tells of every stretch what walking through it tells', () => {
  fc.assert(
    fc.property(
      fc.array(anyValue, { maxLength: 400 }),
      fc.nat(420),
      fc.nat(420),
      fc.nat(400),
      (given, a, b, first) => {
        const values = Float64Array.from(given);
        const index = new ExtentIndex();
        // In two parts, as points arrive.
        index.grow(values, Math.min(first, values.length));
        index.grow(values, values.length);
        const [from, to] = a < b ? [a, b] : [b, a];
        const stretch = given.slice(from, to);
        const finite = stretch.filter(Number.isFinite);
        expect(index.extent(values, from, to)).toEqual({
          min: Math.min(...finite),
          max: Math.max(...finite),
          minPositive: Math.min(...finite.filter((value) => value > 0)),
          notFinite: stretch.length - finite.length,
        });
      },
    ),
    { numRuns: 300 },
  );
});

test('the lower bound is the first place that is not smaller', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 100 }), fc.nat(60), (given, value) => {
      const sorted = Float64Array.from(given).sort();
      const expected = sorted.findIndex((item) => item >= value);
      expect(lowerBound(sorted, sorted.length, value)).toBe(
        expected < 0 ? sorted.length : expected,
      );
    }),
  );
});

test('a moving average of a constant is that constant from its first point on', () => {
  const average = new MovingAverage(0.99);
  for (let at = 0; at < 50; at += 1) expect(average.next(3.25)).toBeCloseTo(3.25, 12);
});

test('a moving average stays between the smallest and the largest value, and NaN does not poison it', () => {
  const average = new MovingAverage(0.9);
  const smoothed = [1, Number.NaN, 3, Infinity, 2].map((value) => average.next(value));
  expect(smoothed[1]).toBeNaN();
  expect(smoothed[3]).toBeNaN();
  for (const value of [smoothed[0], smoothed[2], smoothed[4]]) {
    expect(value).toBeGreaterThanOrEqual(1);
    expect(value).toBeLessThanOrEqual(3);
  }
});

test('a debiased average equals the weighted mean of what came before', () => {
  const weight = 0.8;
  const values = [4, 8, 1, 5];
  const average = new MovingAverage(weight);
  const smoothed = values.map((value) => average.next(value));
  values.forEach((_, last) => {
    const weights = values.slice(0, last + 1).map((_value, at) => weight ** (last - at));
    const mean =
      weights.reduce((sum, part, at) => sum + part * (values[at] ?? 0), 0) /
      weights.reduce((sum, part) => sum + part, 0);
    expect(smoothed[last]).toBeCloseTo(mean, 12);
  });
});

test('a curve that grew point by point equals one made at once, also when the run went back in between', () => {
  fc.assert(
    fc.property(
      fc.array(anyValue, { minLength: 1, maxLength: 300 }),
      fc.nat(299),
      fc.nat(299),
      fc.constantFrom(0, 0.9),
      (given, cut, seen, smoothing) => {
        const length = given.length;
        const values = Float64Array.from(given);
        const steps = Float64Array.from(given, (_, index) => index + 1);
        const grown = new Curve();
        const before = Math.min(seen, length);
        // Points that were measured once and then taken back, at other times than those that stay.
        const old = {
          length: before,
          values: values.map((value) => value + 1),
          steps,
          times: steps.map((step) => -step),
        };
        grown.update(old, smoothing);
        grown.update({ length: Math.min(cut, length), values, steps, times: steps }, smoothing);
        grown.update({ length, values, steps, times: steps }, smoothing);
        const whole = new Curve().update({ length, values, steps, times: steps }, smoothing);
        expect(grown.extents.extent(values, 0, length)).toEqual(
          whole.extents.extent(values, 0, length),
        );
        expect(grown.smoothed.slice(0, length)).toEqual(whole.smoothed.slice(0, length));
        expect(grown.lastFinite).toBe(whole.lastFinite);
      },
    ),
    { numRuns: 200 },
  );
});
