import type { Progress } from '../checkpoints/state.ts';

type Sums = Progress['sums'];

/** Adds a batch: each value is the mean over its examples. Keras weighs batches the same way. */
export function addBatch(sums: Sums, values: Readonly<Record<string, number>>, size: number): Sums {
  const totals = { ...sums.totals };
  for (const [name, value] of Object.entries(values)) {
    totals[name] = (totals[name] ?? 0) + value * size;
  }
  return { examples: sums.examples + size, totals };
}

export function means({ examples, totals }: Sums): Record<string, number> {
  return Object.fromEntries(
    Object.entries(totals).map(([name, total]) => [name, total / examples]),
  );
}

export const noSums: Sums = { examples: 0, totals: {} };
