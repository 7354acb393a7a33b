import { join } from 'node:path';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { EventOf } from '../../shared/events.ts';
import type { RunView, Series } from '../session/types.ts';
import { formatCount, formatDuration } from '../ui/formatting.ts';

/** A loss or accuracy as Keras prints it: four decimals, fewer for what is large, an exponent for what is small. */
export function lossText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && magnitude < 1e-3) return value.toExponential(4);
  return value.toFixed(magnitude >= 100 ? 2 : magnitude >= 10 ? 3 : 4);
}

/** e.g. `native CPU, TensorFlow 2.20.0` or `WebAssembly`. */
export function engineText(report: EngineReport): string {
  if (report.kind === 'wasm') return `WebAssembly, ${report.threads} threads`;
  const device = report.gpu ? `GPU ${report.gpu.name}` : `CPU, ${report.threads} threads`;
  return `native ${device}, TensorFlow ${report.tensorflowVersion ?? 'unknown'}`;
}

/** The run, what computes it and how large it is; empty until that is known. */
export function headerLine(view: RunView): string {
  if (!view.engine) return '';
  const quick = view.record.quick ? ' (quick: small, to try it out)' : '';
  return `${view.record.id}${quick}: ${formatCount(view.parameters)} parameters, ${view.stepsPerEpoch} steps an epoch, ${engineText(view.engine)}`;
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
    epochMetrics(view, 'train', ended.epoch),
  ];
  const validation = epochMetrics(view, 'validation', ended.epoch);
  if (validation !== '') parts.push(`validation ${validation}`);
  return parts.join('  ');
}

/** The end of a run: how it ended, its test figures, where its pictures and its checkpoint are. */
export function finalLines(view: RunView): string[] {
  const lines = [endSentence(view)];
  const test = epochMetrics(view, 'test');
  if (test !== '') lines.push(`test  ${test}`);
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

/** `loss 0.0685 accuracy 0.9783` of an epoch, or the last values of a split when no epoch is given. */
export function epochMetrics(view: RunView, split: Series['split'], epoch?: number): string {
  const names: string[] = [];
  for (const series of view.series.values()) {
    if (series.split !== split || series.per !== 'epoch') continue;
    const value =
      epoch === undefined ? series.values[series.length - 1] : valueAtEpoch(series, epoch);
    if (value === undefined) continue;
    const text = `${series.name} ${lossText(value)}`;
    if (series.name === 'loss') names.unshift(text);
    else names.push(text);
  }
  return names.join(' ');
}

function valueAtEpoch(series: Series, epoch: number): number | undefined {
  for (let index = series.length - 1; index >= 0; index -= 1) {
    if (series.epochs[index] === epoch) return series.values[index];
  }
  return undefined;
}
