import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatMetric,
  formatMetricOf,
  formatRate,
  formatShortCount,
} from '../../../../client/ui/formatting.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

test.each([
  [0, '0s'],
  [38.4 * second, '38s'],
  [59.6 * second, '1m 00s'],
  [4 * minute + 12 * second, '4m 12s'],
  [hour + 3 * minute, '1h 03m'],
  [52 * hour, '2d 04h'],
  [Number.NaN, '–'],
  [-5, '0s'],
])('%d ms are %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));

test.each([
  [0, '0'],
  [83.2, '83.20'],
  [0.03412, '0.0341'],
  [0.00123, '0.00123'],
  [0.0000123, '1.23e-5'],
  [540.61, '540.6'],
  [12345.6, '12346'],
  [-2.5, '-2.500'],
  [Number.NaN, 'NaN'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
])('the metric %d is written %s', (value, text) => expect(formatMetric(value)).toBe(text));

test('accuracies are percent, losses are not', () => {
  expect(formatMetricOf('accuracy', 0.8734)).toBe('87.34%');
  expect(formatMetricOf('loss', 0.8734)).toBe('0.8734');
});

test.each([
  [17, '17 B'],
  [999, '999 B'],
  [1000, '1.0 KiB'],
  [421_888, '412 KiB'],
  [6_549_825_126, '6.1 GiB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [9380, '9.4k'],
  [999, '999'],
  [1000, '1k'],
  [1_250_000, '1.3M'],
  [0.5, '0.5'],
])('%d is short %s', (value, text) => expect(formatShortCount(value)).toBe(text));

test('rates below one a second keep their digits', () => {
  expect(formatRate(0.25)).toBe('0.25/s');
  expect(formatRate(5234)).toBe('5.2k/s');
});

test('counts have separators', () => expect(formatCount(9380)).toBe('9,380'));

test('times ago are coarse', () => {
  expect([20 * second, 5 * minute, 3 * hour, 25 * hour, 100 * hour].map(formatAgo)).toEqual([
    'just now',
    '5 min ago',
    '3 h ago',
    'yesterday',
    '4 days ago',
  ]);
});

test('no number makes a wide or empty text', () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      for (const format of [formatMetric, formatShortCount, formatRate, formatBytes]) {
        const text = format(value);
        expect(text.length).toBeGreaterThan(0);
        expect(text.length).toBeLessThanOrEqual(value > 1e15 || value < -1e15 ? 400 : 12);
      }
    }),
  );
});
