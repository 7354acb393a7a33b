import type { Spread } from '../../shared/benchmark-report.ts';

/**
 * The value below which a part of the others lie, interpolated linearly between neighbours (R's
 * type 7, numpy's default). NaN of nothing.
 *
 * @param part 0..1
 */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** @param rounds one value a round, at least one */
export function spreadOf(rounds: readonly number[]): Spread {
  return {
    median: median(rounds),
    min: Math.min(...rounds),
    max: Math.max(...rounds),
    lowerQuartile: quantile(rounds, 0.25),
    upperQuartile: quantile(rounds, 0.75),
    rounds: [...rounds],
  };
}

/**
 * Round by round, so that what disturbed a round disturbs both sides of its ratio.
 *
 * @throws RangeError where the two have not as many rounds
 */
export function ratioOf(times: readonly number[], ours: readonly number[]): Spread {
  if (times.length !== ours.length) {
    throw new RangeError(`${times.length} rounds cannot be divided by ${ours.length}.`);
  }
  // As many of both.
  return spreadOf(times.map((time, round) => time / (ours[round] as number)));
}
