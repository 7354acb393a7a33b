import type { LayerValues } from './values.ts';

/** Where two computations differ most. */
export interface Difference {
  /** Of the same tensor's largest value; infinite where one has a number that is not finite. */
  readonly relative: number;
  /** The tensor's name. */
  readonly where: string;
}

/** @throws Error where they have not the same tensors of the same sizes */
export function largestDifference(values: LayerValues, reference: LayerValues): Difference {
  return values
    .map(({ name, values }, place): Difference => {
      const expected = reference[place]?.values;
      if (expected?.length !== values.length) {
        throw new Error(`${values.length} numbers in ${name}, not ${expected?.length ?? 0}`);
      }
      return { relative: relativeDifference(values, expected), where: name };
    })
    .reduce((largest, other) => (other.relative > largest.relative ? other : largest));
}

/** The numbers of a tensor that has none larger are compared with this. */
const smallestScale = 1e-3;

function relativeDifference(values: Float32Array, expected: Float32Array): number {
  let largest = 0;
  let scale = smallestScale;
  for (const [place, value] of values.entries()) {
    // As many numbers, which the caller has seen to.
    const other = expected[place] as number;
    if (!Number.isFinite(value) || !Number.isFinite(other)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(value - other));
    scale = Math.max(scale, Math.abs(other));
  }
  return largest / scale;
}
