import { isFinal } from '../../../shared/events.ts';
import type { RunView } from '../../session/types.ts';
import { formatCount, formatDuration } from '../formatting.ts';

export interface Alert {
  readonly level: 'info' | 'warning' | 'bad';
  readonly text: string;
}

/** How long the news that the worker was started anew stays on the screen. */
const restartShownMs = 120_000;
/** A worker sends its status every second; this long without one is worth a word. */
const silenceMs = 10_000;

/** What somebody watching the run should know now, the worst first. @param now by the clock of the view's times. */
export function alertsOf(view: RunView, now: number): Alert[] {
  const alerts: Alert[] = [
    ...stateAlerts(view),
    ...connectionAlerts(view, now),
    ...engineAlerts(view),
  ];
  const notFinite = lastNotFinite(view);
  if (notFinite && view.state !== 'failed')
    alerts.push({
      level: 'bad',
      text: `${notFinite.name} was not finite at step ${formatCount(notFinite.step)}.`,
    });
  for (const checkpoint of view.checkpoints) {
    if (checkpoint.home.state === 'failed')
      alerts.push({
        level: 'warning',
        text: `Checkpoint ${checkpoint.id} is not home: ${checkpoint.home.message} ${checkpoint.home.hint}`,
      });
  }
  const rank = { bad: 0, warning: 1, info: 2 };
  return alerts.sort((a, b) => rank[a.level] - rank[b.level]);
}

function stateAlerts(view: RunView): Alert[] {
  if (view.state === 'failed')
    return [
      {
        level: 'bad',
        text: view.stateMessage ?? `The run failed (${view.stateReason ?? 'no reason given'}).`,
      },
    ];
  if (view.state === 'recovering')
    return [
      {
        level: 'warning',
        text:
          view.stateMessage ??
          'The engine ended by itself; the run goes on from its last checkpoint.',
      },
    ];
  if (view.state === 'interrupted')
    return [
      {
        level: 'warning',
        text:
          view.stateMessage ??
          'The run was interrupted; Space resumes it from its last checkpoint.',
      },
    ];
  return [];
}

function connectionAlerts(view: RunView, now: number): Alert[] {
  const { connection } = view;
  switch (connection.kind) {
    case 'waiting':
      return [
        {
          level: 'warning',
          text: `${lost(view, connection.attempt)} Trying again ${retryText(connection.retryAt - now)}: ${connection.reason}.`,
        },
      ];
    case 'connecting':
      // The word stays while it is tried, so that the panes below it do not jump.
      return (connection.attempt > 1 || view.status) && !isFinal(view.state)
        ? [{ level: 'warning', text: `${lost(view, connection.attempt)} Trying again now.` }]
        : [];
    case 'refused':
      return [{ level: 'bad', text: `${connection.message} ${connection.hint}` }];
    case 'connected': {
      const alerts: Alert[] = [];
      // To a run that is over it is no news.
      if (connection.restarted && !isFinal(view.state) && now - connection.since < restartShownMs)
        alerts.push({
          level: 'warning',
          text: 'The worker was started anew; the run goes on from its last checkpoint.',
        });
      const heard = view.status?.receivedAt;
      if (
        heard !== undefined &&
        ['running', 'paused'].includes(view.state) &&
        now - heard > silenceMs
      ) {
        alerts.push({
          level: 'warning',
          text: `No word from the worker for ${formatDuration(now - heard)}.`,
        });
      }
      return alerts;
    }
    default:
      return [];
  }
}

/** After so many attempts, half a minute, it is worth a word what to do if the worker is gone for good. */
const attemptsOfCut = 5;

const lost = ({ worker }: RunView, attempt: number): string =>
  attempt < attemptsOfCut
    ? 'The connection is lost; the run goes on without it.'
    : `No connection to ${worker || 'the worker'}. If it is gone for good, connect to another and resume the run there: it goes on from the last checkpoint here.`;

const retryText = (milliseconds: number): string =>
  milliseconds < 1000 ? 'now' : `in ${formatDuration(milliseconds)}`;

function engineAlerts({ engine, differs, connection }: RunView): Alert[] {
  if (!engine || connection.kind === 'offline') return [];
  const alerts: Alert[] = [];
  const gpu = engine.candidates.find(({ name }) => name === 'native-gpu');
  if (engine.device === 'cpu' && engine.gpuFound) {
    alerts.push({
      level: 'warning',
      text: `Training on the CPU although there is a ${engine.gpuFound.name}${gpu ? `: ${gpu.reason}` : ''}.`,
    });
  }
  if (engine.kind === 'wasm') {
    const native = engine.candidates.find(({ name }) => name === 'native-cpu');
    alerts.push({
      level: 'warning',
      text: `Training on WebAssembly, slowly${native ? `: ${native.reason}` : ''}.`,
    });
  }
  if (differs.length > 0)
    alerts.push({
      level: 'info',
      text: `Resumed where this differs: ${differs.join(', ')}; the result may differ in the last bits.`,
    });
  return alerts;
}

function lastNotFinite(view: RunView): { name: string; step: number } | undefined {
  for (const series of view.series.values()) {
    const last = series.length - 1;
    if (last >= 0 && !Number.isFinite(series.values[last]))
      return { name: `${series.split} ${series.name}`, step: series.steps[last] ?? 0 };
  }
  return undefined;
}
