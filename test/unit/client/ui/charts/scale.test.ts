import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linearScale, logScale, tickLabels, ticks } from '../../../../../client/ui/charts/scale.ts';

test.each([
  [0, 1, 6, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']],
  [0.034, 0.91, 5, ['0.2', '0.4', '0.6', '0.8']],
  [80, 540, 5, ['100', '200', '300', '400', '500']],
  [0.0341, 0.0352, 4, ['0.0345', '0.0350']],
])('from %d to %d at most %d ticks are labelled %j', (min, max, most, labels) => {
  expect(tickLabels(ticks(linearScale(min, max), most), 'linear')).toEqual(labels);
});

test('logarithmic ticks are round in every decade', () => {
  expect(tickLabels(ticks(logScale(0.01, 100), 6), 'log')).toEqual([
    '0.01',
    '0.1',
    '1',
    '10',
    '100',
  ]);
  expect(ticks(logScale(70, 600), 4)).toEqual([100, 200, 500]);
});

test('ticks lie in the domain, ascend, differ, and are no more than were asked for', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      (low, given, most, logarithmic) => {
        const min = logarithmic ? Math.abs(low) + 1e-6 : low;
        const span = Math.max(given, Math.abs(min) * 1e-6);
        const scale = logarithmic ? logScale(min, min + span) : linearScale(min, min + span);
        const found = ticks(scale, most);
        expect(found.length).toBeLessThanOrEqual(most);
        const slack = (scale.max - scale.min) * 1e-6;
        found.forEach((value, index) => {
          expect(value).toBeGreaterThanOrEqual(scale.min - slack);
          expect(value).toBeLessThanOrEqual(scale.max + slack);
          if (index > 0) expect(value).toBeGreaterThan(found[index - 1] ?? -Infinity);
        });
        const labels = tickLabels(found, scale.kind);
        expect(new Set(labels).size).toBe(labels.length);
      },
    ),
    { numRuns: 500 },
  );
});

test('a domain of one value is widened around it', () => {
  for (const value of [0, 5, -3, 1e-9]) {
    const scale = linearScale(value, value);
    expect(scale.max).toBeGreaterThan(scale.min);
    expect(scale.place(value)).toBeCloseTo(0.5, 6);
  }
});
