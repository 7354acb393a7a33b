import type { RunView, Series } from '../../session/types.ts';
import { Curve } from '../charts/curve.ts';

/** The curves of one metric, over all splits. */
export interface MetricCurves {
  readonly name: string;
  /** One value a batch. */
  readonly trainStep?: Curve;
  /** Means over an epoch. */
  readonly trainEpoch?: Curve;
  readonly validation?: Curve;
  readonly test?: Curve;
}

/** Values of batches in the longest curve of a run. */
export function batchesOf(view: RunView): number {
  let longest = 0;
  for (const { per, length } of view.series.values())
    if (per === 'step') longest = Math.max(longest, length);
  return longest;
}

/** Metrics in the order people look at them. */
const firstNames = ['loss', 'nats', 'accuracy'];

/** Curves of a run, kept from frame to frame so that each costs its new points only. */
export class RunCurves {
  readonly #curves = new Map<string, Curve>();

  /** Brings every curve up to date; `smoothing` is for values of batches only. */
  update(view: RunView, smoothing: number): MetricCurves[] {
    const metrics = new Map<
      string,
      { trainStep?: Curve; trainEpoch?: Curve; validation?: Curve; test?: Curve }
    >();
    for (const [key, series] of view.series) {
      if (series.length === 0) continue;
      let curve = this.#curves.get(key);
      if (!curve) {
        curve = new Curve();
        this.#curves.set(key, curve);
      }
      curve.update(series, series.per === 'step' ? smoothing : 0);
      const metric = metrics.get(series.name) ?? {};
      metric[partOf(series)] = curve;
      metrics.set(series.name, metric);
    }
    const rank = (name: string) =>
      firstNames.includes(name) ? firstNames.indexOf(name) : firstNames.length;
    return [...metrics.entries()]
      .map(([name, curves]) => ({ name, ...curves }))
      .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
  }
}

function partOf(series: Series): 'trainStep' | 'trainEpoch' | 'validation' | 'test' {
  if (series.split === 'train') return series.per === 'step' ? 'trainStep' : 'trainEpoch';
  return series.split;
}

/** The newest value as it was measured: the curve may be smoothed, a number is never. */
export const newestValue = (curve: Curve): number => curve.values[curve.length - 1] ?? Number.NaN;

/** Whether a smaller value of this metric is the better one. */
export const smallerIsBetter = (name: string): boolean =>
  !/accuracy|precision|recall|f1/i.test(name);

/** Index of the best finite point; undefined where there is none. */
export function bestPoint(curve: Curve, name: string): number | undefined {
  let best: number | undefined;
  const smaller = smallerIsBetter(name);
  for (let at = 0; at < curve.length; at += 1) {
    const value = curve.values[at] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    const known = best === undefined ? undefined : (curve.values[best] ?? Number.NaN);
    if (known === undefined || (smaller ? value < known : value > known)) best = at;
  }
  return best;
}
