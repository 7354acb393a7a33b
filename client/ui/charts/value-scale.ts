import type { Curve } from './curve.ts';
import { emptyExtent } from './extent-index.ts';
import { linearScale, logScale, padded, type Scale } from './scale.ts';

/** The values' scale over all curves, as measured: a spike that smoothing hides still has its place. */
export function valueScale(curves: readonly Curve[], logarithmic: boolean): Scale | undefined {
  const all = emptyExtent();
  for (const curve of curves) {
    const extent = curve.extents.extent(curve.values, 0, curve.length);
    all.min = Math.min(all.min, extent.min);
    all.max = Math.max(all.max, extent.max);
    all.minPositive = Math.min(all.minPositive, extent.minPositive);
  }
  if (all.min > all.max) return undefined;
  if (!logarithmic) return padded(linearScale(all.min, all.max), 0.04);
  return all.minPositive === Infinity
    ? undefined
    : padded(logScale(all.minPositive, Math.max(all.max, all.minPositive)), 0.04);
}

/** Values looked at of each curve for a robust scale: enough to tell a hundredth from the rest. */
const robustSample = 4096;

/** The scale of the middle 98 of 100 values of each curve, so that a few far ones do not flatten the rest. */
export function robustScale(curves: readonly Curve[], logarithmic: boolean): Scale | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (const { values, length } of curves) {
    const stride = Math.max(1, Math.floor(length / robustSample));
    const sample: number[] = [];
    for (let at = length - 1; at >= 0; at -= stride) {
      const value = values[at] ?? Number.NaN;
      if (Number.isFinite(value) && (!logarithmic || value > 0)) sample.push(value);
    }
    sample.sort((a, b) => a - b);
    const outside = Math.floor(sample.length / 100);
    low = Math.min(low, sample[outside] ?? Infinity);
    high = Math.max(high, sample[sample.length - 1 - outside] ?? -Infinity);
  }
  if (low > high) return undefined;
  return padded(logarithmic ? logScale(low, high) : linearScale(low, high), 0.04);
}
