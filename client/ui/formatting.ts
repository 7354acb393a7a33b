/** Numbers, times and sizes as people read them: short, aligned, never more digits than mean something. */

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `9,380`. */
export const formatCount = (value: number): string =>
  Number.isFinite(value) ? count.format(value) : '–';

/** `9.4k`, `1.2M`: at most five characters, for axes and rates. */
export function formatShortCount(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  for (const [limit, unit, suffix] of [
    [999.5e9, 1e12, 'T'],
    [999.5e6, 1e9, 'G'],
    [999.5e3, 1e6, 'M'],
    [999.5, 1e3, 'k'],
  ] as const) {
    if (size >= limit) {
      const scaled = value / unit;
      return `${trimZeros(scaled.toFixed(Math.abs(scaled) >= 99.95 ? 0 : 1))}${suffix}`;
    }
  }
  return trimZeros(value.toFixed(size >= 99.95 || Number.isInteger(value) ? 0 : 1));
}

/** Removes zeros after the point: `5.0` is `5`. */
const trimZeros = (text: string): string =>
  text.includes('.') ? text.replace(/\.?0+$/, '') : text;

/** `4m 12s`, `1h 03m`, `2d 04h`; below a minute `38s`. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return '–';
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** How long ago, coarsely: `just now`, `5 min ago`, `3 h ago`, `12 days ago`. */
export function formatAgo(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  const days = Math.floor(hours / 24);
  return days === 1 ? 'yesterday' : `${days} days ago`;
}

/** `5.2k/s`, or of something `5.2k examples/s`; below one a second `0.25/s`. */
export function formatRate(perSecond: number, of = ''): string {
  if (!Number.isFinite(perSecond) || perSecond < 0) return '–';
  const unit = `${of && ` ${of}`}/s`;
  if (perSecond > 0 && perSecond < 1) return `${trimZeros(perSecond.toFixed(2))}${unit}`;
  return `${formatShortCount(perSecond)}${unit}`;
}

/** Powers of 1024: `6.1 GiB`, `412 KiB`, `17 B`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(Math.round(scaled)) : scaled.toFixed(scaled >= 99.95 ? 0 : 1)} ${units[unit]}`;
}

/** `81%`. */
export const formatPercent = (part: number): string =>
  Number.isFinite(part) ? `${Math.round(part * 100)}%` : '–';

/**
 * A measured value with about four significant digits: `83.20`, `0.0341`, `1.2e-5`. Values that are
 * not finite keep their name, since they are news.
 */
export function formatMetric(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
  if (size >= 1000) return value.toFixed(0);
  if (size >= 100) return value.toFixed(1);
  if (size >= 1) return value.toFixed(size >= 10 ? 2 : 3);
  return value.toFixed(size >= 0.01 ? 4 : 5);
}

/** A metric's value as it is usually told: accuracies in percent, all else by `formatMetric`. */
export function formatMetricOf(name: string, value: number): string {
  return /accuracy/i.test(name) && Number.isFinite(value)
    ? `${(value * 100).toFixed(2)}%`
    : formatMetric(value);
}

/** Clock time on this machine: `14:03:59`. */
export function formatClock(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** `2026-11-23 14:03`, on this machine's clock. */
export function formatDate(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** `hiddenLoss` and `hidden_loss` as people write it: `hidden loss`. */
export const formatName = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
