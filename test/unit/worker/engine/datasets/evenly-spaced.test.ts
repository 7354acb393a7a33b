import { expect, test } from 'vitest';
import { evenlySpaced, spreadOut } from '../../../../../worker/engine/datasets/evenly-spaced.ts';

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

test('spread out, the same places come with neighbours far apart', () => {
  expect([...spreadOut(Uint32Array.of(5, 15, 25, 35, 45), 2)]).toEqual([5, 25, 45, 15, 35]);
  const hundred = spreadOut(evenlySpaced(100, 10_000), 10);
  expect([...hundred.subarray(0, 3)]).toEqual([50, 1050, 2050]);
  expect(new Set(hundred).size).toBe(100);
});
