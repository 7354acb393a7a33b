/**
 * Smallest and largest values of any stretch of a long series without walking through it: the
 * values are summarised in blocks, kept up to date as points arrive. A chart asks one question a
 * column, so a million points cost about as much as sixteen thousand.
 */

const blockLength = 64;

/** What a stretch of values holds. Where there is no finite value, `min` is Infinity and `max` -Infinity. */
export interface Extent {
  min: number;
  max: number;
  /** Smallest value above zero (for a logarithmic scale), Infinity where there is none. */
  minPositive: number;
  /** Values that are NaN or infinite. */
  notFinite: number;
}

export const emptyExtent = (): Extent => ({
  min: Infinity,
  max: -Infinity,
  minPositive: Infinity,
  notFinite: 0,
});

function include(extent: Extent, value: number): void {
  if (!Number.isFinite(value)) {
    extent.notFinite += 1;
    return;
  }
  if (value < extent.min) extent.min = value;
  if (value > extent.max) extent.max = value;
  if (value > 0 && value < extent.minPositive) extent.minPositive = value;
}

function merge(extent: Extent, other: Extent): void {
  if (other.min < extent.min) extent.min = other.min;
  if (other.max > extent.max) extent.max = other.max;
  if (other.minPositive < extent.minPositive) extent.minPositive = other.minPositive;
  extent.notFinite += other.notFinite;
}

export class ExtentIndex {
  #blocks: Extent[] = [];
  #length = 0;

  /** Values that are summarised so far. */
  get length(): number {
    return this.#length;
  }

  /** Takes in `values[this.length .. length)`. Earlier values must not have changed since. */
  grow(values: Float64Array, length: number): void {
    for (let at = this.#length; at < length; at += 1) {
      const block = Math.floor(at / blockLength);
      let extent = this.#blocks[block];
      if (!extent) {
        extent = emptyExtent();
        this.#blocks[block] = extent;
      }
      include(extent, values[at] ?? Number.NaN);
    }
    this.#length = Math.max(this.#length, length);
  }

  clear(): void {
    this.#blocks = [];
    this.#length = 0;
  }

  /** Of `values[from .. to)`, the same values that were given to `grow`. */
  extent(values: Float64Array, from: number, to: number): Extent {
    const extent = emptyExtent();
    const end = Math.min(to, this.#length);
    let at = Math.max(0, from);
    while (at < end) {
      const block =
        at % blockLength === 0 && at + blockLength <= end
          ? this.#blocks[at / blockLength]
          : undefined;
      if (block) {
        merge(extent, block);
        at += blockLength;
      } else {
        include(extent, values[at] ?? Number.NaN);
        at += 1;
      }
    }
    return extent;
  }
}

/** The first index in `sorted[0 .. length)` whose value is at least `value`; `length` where none is. */
export function lowerBound(sorted: Float64Array, length: number, value: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Infinity) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
