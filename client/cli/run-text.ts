import { join } from 'node:path';
import type { EngineReport } from '../../shared/engine-report.ts';
import { type EventOf, isFinal } from '../../shared/events.ts';
import { findRecipe } from '../../shared/recipes.ts';
import type { RunView, Series } from '../session/types.ts';
import { formatCount, formatDuration } from '../ui/formatting.ts';
import { layerText } from './layer-text.ts';

/** A loss or accuracy as Keras prints it: four decimals, fewer for what is large, an exponent for what is small. */
export function lossText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && magnitude < 1e-3) return value.toExponential(4);
  return value.toFixed(magnitude >= 100 ? 2 : magnitude >= 10 ? 3 : 4);
}

/** e.g. `native CPU, 2 threads, TensorFlow 2.20.0 (the Tesla T4 is not used)`. */
export function engineText(report: EngineReport): string {
  if (report.kind === 'wasm') return `WebAssembly, ${report.threads} threads${unusedGpu(report)}`;
  const device = report.gpu ? `GPU ${report.gpu.name}` : `CPU, ${report.threads} threads`;
  return `native ${device}, TensorFlow ${report.tensorflowVersion ?? 'unknown'}${unusedGpu(report)}`;
}

const unusedGpu = ({ device, gpuFound }: EngineReport): string =>
  device === 'cpu' && gpuFound ? ` (the ${gpuFound.name} is not used)` : '';

/** The run, what computes it and how large it is; empty until that is known. */
export function headerLine(view: RunView): string {
  if (!view.engine) return '';
  const layer = layerText(view.engine, findRecipe(view.record.recipe)?.layer);
  const quick = view.record.quick ? ' (quick: small, to try it out)' : '';
  return `${view.record.id}${quick}: ${formatCount(view.parameters)} parameters, ${view.stepsPerEpoch} steps an epoch, ${engineText(view.engine)}${layer ? `, ${layer}` : ''}`;
}

/**
 * One line for an ended epoch, in Keras' order:
 * `epoch 7/10  157/157  41s  loss 0.0685 accuracy 0.9783  validation loss 0.6217 accuracy 0.8374`
 */
export function epochLine(view: RunView, ended: EventOf<'epoch'>): string {
  const parts = [
    `epoch ${ended.epoch}/${view.epochs}`,
    `${view.stepsPerEpoch}/${view.stepsPerEpoch}`,
    formatDuration(ended.seconds * 1000),
    metricText(epochMetrics(view, 'train', ended.epoch)),
  ];
  const validation = metricText(epochMetrics(view, 'validation', ended.epoch));
  if (validation !== '') parts.push(`validation ${validation}`);
  return parts.join('  ');
}

const endings = new Map([
  ['epochs', 'all its epochs'],
  ['patience', 'no better validation loss within its patience'],
  ['stop-now', 'as asked'],
  ['stop-epoch', 'as asked, after its epoch'],
  ['shutdown', 'its worker was ended'],
  ['not-finite', 'the loss was not finite'],
]);

/** How a run stands, and of one that ended why: `done: all its epochs`. */
export function stateText({ state, stateMessage, stateReason }: RunView): string {
  // Why it goes on ("start", "resume") is no news while it does.
  const reason = isFinal(state) && stateReason ? (endings.get(stateReason) ?? stateReason) : '';
  const why = stateMessage ?? reason;
  return why === '' ? state : `${state}: ${why}`;
}

/** The end of a run: how it ended, its test figures, where its pictures and its checkpoint are. */
export function finalLines(view: RunView): string[] {
  const lines = [endSentence(view)];
  lines.push(...testLines(view));
  const picture = view.samples.at(-1);
  if (picture) lines.push(`pictures    ${join(view.directory, picture.file)}`);
  const checkpoint = view.checkpoints.findLast((candidate) => candidate.home.state === 'verified');
  if (checkpoint?.home.state === 'verified') lines.push(`checkpoint  ${checkpoint.home.directory}`);
  lines.push(`run         ${view.directory}`);
  return lines;
}

function endSentence(view: RunView): string {
  const where = `at step ${view.step}, epoch ${view.epoch}`;
  const why = view.stateMessage ? `: ${view.stateMessage}` : '';
  if (view.state === 'done') return `Done ${where}${why}`;
  if (view.state === 'stopped')
    return `Stopped ${where}; go on with "teletrain resume ${view.record.id}".`;
  if (view.state === 'failed')
    return `Failed ${where}${why || (view.stateReason ? `: ${view.stateReason}` : '')}`;
  if (view.state === 'interrupted') {
    return `The worker ended ${where}; go on with "teletrain resume ${view.record.id}".`;
  }
  return `${view.state} ${where}`;
}

/** What the test examples gave after training: with the last weights, and with the best checkpoint's. */
export function testLines(view: RunView): string[] {
  const metrics = epochMetrics(view, 'test');
  const last = metrics.filter(([name]) => !bestPrefix.test(name));
  const best = metrics
    .filter(([name]) => bestPrefix.test(name))
    .map(([name, value]): NamedValue => [uncapitalize(name.replace(bestPrefix, '')), value]);
  const lines = last.length > 0 ? [`test        ${metricText(last)}`] : [];
  if (best.length > 0 && metricText(best) !== metricText(last)) {
    lines.push(`test, best  ${metricText(best)}`);
  }
  return lines;
}

const bestPrefix = /^best(?=[A-Z])/;
const uncapitalize = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

type NamedValue = readonly [name: string, value: number];

/** The metrics of an ended epoch, or the last ones of a split when no epoch is given; the loss first. */
function epochMetrics(view: RunView, split: Series['split'], epoch?: number): NamedValue[] {
  const metrics: NamedValue[] = [];
  for (const series of view.series.values()) {
    if (series.split !== split || series.per !== 'epoch') continue;
    const value =
      epoch === undefined ? series.values[series.length - 1] : valueAtEpoch(series, epoch);
    if (value !== undefined) metrics.push([series.name, value]);
  }
  return metrics;
}

/** `loss 0.0685 accuracy 0.9783` */
function metricText(metrics: readonly NamedValue[]): string {
  const rank = ([name]: NamedValue) => (name === 'loss' ? 0 : 1);
  return metrics
    .toSorted((a, b) => rank(a) - rank(b))
    .map(([name, value]) => `${inWords(name)} ${lossText(value)}`)
    .join(' ');
}

/** `hiddenLoss` as `hidden loss`. */
const inWords = (name: string): string => name.replace(/[A-Z]/g, ' $&').toLowerCase();

function valueAtEpoch(series: Series, epoch: number): number | undefined {
  for (let index = series.length - 1; index >= 0; index -= 1) {
    if (series.epochs[index] === epoch) return series.values[index];
  }
  return undefined;
}
