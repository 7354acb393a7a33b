import { formatShortCount } from '../formatting.ts';

/** Maps values to 0 (bottom, left) .. 1 (top, right). */
export interface Scale {
  readonly kind: 'linear' | 'log';
  readonly min: number;
  readonly max: number;
  /** Below 0 or above 1 outside of the domain; NaN where the scale has no place for the value. */
  place(value: number): number;
}

/** Beyond these, differences and quotients of doubles are no longer finite. */
const largest = 1e300;
const smallestPositive = 1e-300;

const within = (value: number, low: number, high: number): number =>
  Math.max(low, Math.min(high, value));

/** A linear scale; an empty domain is widened around its value. */
export function linearScale(from: number, to: number): Scale {
  const min = within(from, -largest, largest);
  const max = within(to, -largest, largest);
  const span = max - min;
  if (!(span > Math.abs(max) * 1e-12)) {
    const half = Math.max(Math.abs(min) * 0.05, 1e-12);
    return linearScale(min - half, max + half);
  }
  return { kind: 'linear', min, max, place: (value) => (value - min) / span };
}

/** A logarithmic scale over positive values; values that are not above zero have no place. */
export function logScale(from: number, to: number): Scale {
  const min = within(from, smallestPositive, largest);
  const max = within(to, smallestPositive, largest);
  if (!(max > min * (1 + 1e-9)))
    return logScale(Math.min(min, largest / 2) / 1.25, Math.max(min, smallestPositive * 2) * 1.25);
  const [low, high] = [Math.log(min), Math.log(max)];
  return {
    kind: 'log',
    min,
    max,
    place: (value) => (value > 0 ? (Math.log(value) - low) / (high - low) : Number.NaN),
  };
}

/** A domain widened by `part` of its length at both ends, so that extremes are not on the edge. */
export function padded(scale: Scale, part: number): Scale {
  if (scale.kind === 'linear') {
    const margin = (scale.max - scale.min) * part;
    return linearScale(scale.min - margin, scale.max + margin);
  }
  const [low, high] = [Math.log(scale.min), Math.log(scale.max)];
  const margin = (high - low) * part;
  return logScale(Math.exp(low - margin), Math.exp(high + margin));
}

/** 1, 2 or 5 times a power of ten: the smallest that is at least `value`. */
function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const mantissa = value / power;
  return (
    (mantissa <= 1.0000001 ? 1 : mantissa <= 2.0000001 ? 2 : mantissa <= 5.0000001 ? 5 : 10) * power
  );
}

/** Round values inside a scale's domain, at most `most` of them, ascending. */
export function ticks(scale: Scale, most: number): number[] {
  if (most < 1) return [];
  return scale.kind === 'log' ? logTicks(scale, most) : linearTicks(scale, most);
}

function linearTicks({ min, max }: Scale, most: number): number[] {
  let step = roundStep((max - min) / most);
  while (Number.isFinite(step) && step > 0) {
    const first = Math.ceil(min / step - 1e-9);
    const last = Math.floor(max / step + 1e-9);
    if (last - first + 1 <= most) {
      // Divided where the step is a fraction, so that 3 * 0.1 gives 0.3 and not 0.30000000000000004.
      const inverse = Math.round(1 / step);
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
        step < 1 && inverse < Number.MAX_SAFE_INTEGER
          ? (first + index) / inverse
          : (first + index) * step,
      );
    }
    step = roundStep(step * 1.5);
  }
  return [];
}

function logTicks(scale: Scale, most: number): number[] {
  const decade = (value: number) => Math.floor(Math.log10(value) + 1e-9);
  const candidates = (mantissas: readonly number[], every: number): number[] => {
    const values: number[] = [];
    for (let power = decade(scale.min); power <= decade(scale.max); power += 1) {
      if (power % every !== 0) continue;
      for (const mantissa of mantissas) {
        const value = Number(`${mantissa}e${power}`);
        if (value >= scale.min && value <= scale.max) values.push(value);
      }
    }
    return values;
  };
  const few = [
    candidates([1, 2, 5], 1),
    candidates([1, 3], 1),
    candidates([1], 1),
    candidates([1], 2),
    candidates([1], 4),
    candidates([1], 10),
  ];
  const fitting = few.find((values) => values.length >= 2 && values.length <= most);
  if (fitting) return fitting;
  // Less than a decade: round values as on a linear scale still tell more than one power of ten.
  const linear = linearTicks(linearScale(scale.min, scale.max), most).filter((value) => value > 0);
  return linear.length > 0 && scale.max / scale.min < 20
    ? linear
    : (few.find((values) => values.length > 0 && values.length <= most) ?? []);
}

/** Labels with just the digits that tell the ticks apart: `0.4`, `0.6`; `0.0340`, `0.0345`. */
export function tickLabels(values: readonly number[], kind: Scale['kind']): string[] {
  if (kind === 'log') {
    const labels = values.map((value) =>
      value >= 1e-4 && value < 1e6 ? String(Number(value.toPrecision(6))) : value.toExponential(0),
    );
    // Within a small part of a decade the ticks are those of a linear axis, and so are their labels.
    return new Set(labels).size === labels.length ? labels : tickLabels(values, 'linear');
  }
  const size = Math.max(0, ...values.map(Math.abs));
  const step = values.length > 1 ? (values[1] ?? 0) - (values[0] ?? 0) : size || 1;
  if (size >= 1e6 || (size > 0 && size < 1e-4)) {
    const digits = Math.max(
      0,
      Math.min(15, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step) + 1e-9)),
    );
    return values.map((value) => (value === 0 ? '0' : value.toExponential(digits)));
  }
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return values.map((value) => value.toFixed(Math.min(12, digits)));
}

/** Labels of the step axis: `0`, `500`, `1.5k`. */
export const stepLabels = (values: readonly number[]): string[] => values.map(formatShortCount);
