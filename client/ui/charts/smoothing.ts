/** Weights of the moving average that the keys + and - go through. */
export const smoothingWeights = [0, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99] as const;

/**
 * Exponential moving average, debiased: the sum of weights is divided out, so the first points are
 * not pulled towards zero (Kingma and Ba 2015, section 3, the same correction as Adam's). It runs
 * over every point, before anything is decimated, so the curve does not depend on the chart's width.
 * Points that are not finite leave the average as it is and give NaN, a gap.
 */
export class MovingAverage {
  readonly weight: number;
  #sum = 0;
  #weights = 0;

  /** @param weight of the past, from 0 (no smoothing) to below 1. */
  constructor(weight: number) {
    this.weight = weight;
  }

  next(value: number): number {
    if (!Number.isFinite(value)) return Number.NaN;
    this.#sum = this.weight * this.#sum + (1 - this.weight) * value;
    this.#weights = this.weight * this.#weights + (1 - this.weight);
    return this.#sum / this.#weights;
  }
}
