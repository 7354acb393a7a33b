import { ExtentIndex } from './extent-index.ts';
import { MovingAverage } from './smoothing.ts';

/** What a curve is made from; a `Series` of the session is one. */
export interface Points {
  readonly length: number;
  readonly steps: Float64Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/**
 * A series made ready to be drawn: its extents and its smoothed values, kept up to date at the cost
 * of the new points only. Points taken back (the run went back to a checkpoint) are noticed.
 */
export class Curve {
  #points: Points = {
    length: 0,
    steps: new Float64Array(0),
    times: new Float64Array(0),
    values: new Float64Array(0),
  };
  readonly #extents = new ExtentIndex();
  #average = new MovingAverage(0);
  #smoothed = new Float64Array(0);
  readonly #smoothedExtents = new ExtentIndex();
  #last = { step: 0, time: 0, value: 0 };
  #lastFinite = -1;

  get length(): number {
    return this.#points.length;
  }
  get steps(): Float64Array {
    return this.#points.steps;
  }
  get values(): Float64Array {
    return this.#points.values;
  }
  get extents(): ExtentIndex {
    return this.#extents;
  }
  /** The moving average of `values`; empty while the weight is 0. */
  get smoothed(): Float64Array {
    return this.#smoothed;
  }
  get smoothedExtents(): ExtentIndex {
    return this.#smoothedExtents;
  }
  get smoothing(): number {
    return this.#average.weight;
  }
  /** Index of the newest finite value, -1 where there is none. */
  get lastFinite(): number {
    return this.#lastFinite;
  }

  update(points: Points, smoothing = 0): this {
    const known = this.#points.length;
    const rewritten =
      points.length < known ||
      (known > 0 &&
        (points.steps[known - 1] !== this.#last.step ||
          points.times[known - 1] !== this.#last.time ||
          !Object.is(points.values[known - 1], this.#last.value)));
    if (rewritten) {
      this.#extents.clear();
      this.#lastFinite = -1;
    }
    if (rewritten || smoothing !== this.#average.weight) {
      this.#average = new MovingAverage(smoothing);
      this.#smoothedExtents.clear();
      this.#smoothed = new Float64Array(0);
    }
    this.#points = points;
    for (let at = points.length - 1; at > this.#lastFinite && at >= this.#extents.length; at -= 1) {
      if (Number.isFinite(points.values[at])) {
        this.#lastFinite = at;
        break;
      }
    }
    this.#extents.grow(points.values, points.length);
    if (smoothing > 0) this.#smooth();
    const last = points.length - 1;
    this.#last = {
      step: points.steps[last] ?? 0,
      time: points.times[last] ?? 0,
      value: points.values[last] ?? 0,
    };
    return this;
  }

  #smooth(): void {
    const { length, values } = this.#points;
    if (this.#smoothed.length < length) {
      const grown = new Float64Array(Math.max(1024, length * 2));
      grown.set(this.#smoothed);
      this.#smoothed = grown;
    }
    for (let at = this.#smoothedExtents.length; at < length; at += 1)
      this.#smoothed[at] = this.#average.next(values[at] ?? Number.NaN);
    this.#smoothedExtents.grow(this.#smoothed, length);
  }
}
