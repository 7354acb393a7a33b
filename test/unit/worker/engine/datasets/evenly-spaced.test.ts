import { expect, test } from 'vitest';
import { evenlySpaced } from '../../../../../worker/engine/datasets/evenly-spaced.ts';

test('all places in order when all are taken', () => {
  expect([...evenlySpaced(5, 5)]).toEqual([0, 1, 2, 3, 4]);
});

test('places lie in the middles of equal parts, each once and within', () => {
  expect([...evenlySpaced(4, 100)]).toEqual([12, 37, 62, 87]);
  for (const [taken, available] of [
    [1, 1],
    [3, 7],
    [99, 100],
    [400, 10_000],
  ] as const) {
    const places = [...evenlySpaced(taken, available)];
    expect(new Set(places).size).toBe(taken);
    expect(Math.max(...places)).toBeLessThan(available);
  }
});
