import { isFinal } from '../../../shared/events.ts';
import type { Access, ConnectionState, RunView } from '../../session/types.ts';
import { formatCount, formatDuration, formatPercent, formatRate } from '../formatting.ts';
import type { Look } from '../style/look.ts';
import {
  joinFitting,
  type Line,
  lineWidth,
  paintBetween,
  paintLine,
  type Row,
  type Span,
} from '../text/line.ts';
import { printable } from '../text/width.ts';
import { bar, type RunContext } from './pane.ts';

/** Whether the worker is out of reach now, so that what is shown of the run is what was last heard. */
export const isOutOfReach = ({ kind }: ConnectionState): boolean => kind !== 'connected';

/**
 * The run's state in a word or two, with its sign and colour; with a doubt where it is what was last
 * heard of a run that may have changed since.
 */
export function stateSpan(
  view: Pick<RunView, 'state' | 'pending'> & { readonly connection?: ConnectionState },
  { glyphs }: Look,
): Span {
  if (view.pending) return [`${glyphs.ring} ${view.pending}${glyphs.ellipsis}`, 'warning'];
  if (view.connection && isOutOfReach(view.connection) && !isFinal(view.state))
    return [`${glyphs.ring} ${view.state}?`, 'label'];
  switch (view.state) {
    case 'running':
      return [`${glyphs.dot} running`, 'good'];
    case 'starting':
      return [`${glyphs.ring} starting`, 'accent'];
    case 'paused':
      return [`${glyphs.ring} paused`, 'warning'];
    case 'recovering':
      return [`${glyphs.ring} recovering`, 'warning'];
    case 'done':
      return [`${glyphs.check} done`, 'good'];
    case 'stopped':
      return [`${glyphs.ring} stopped`, 'strong'];
    case 'failed':
      return [`${glyphs.cross} failed`, 'bad'];
    case 'interrupted':
      return [`${glyphs.ring} interrupted`, 'warning'];
  }
}

/** How the worker can be reached, in a word or two. @param now by the clock of the connection's times. */
export function connectionLine(connection: ConnectionState, now: number, { glyphs }: Look): Line {
  switch (connection.kind) {
    case 'offline':
      return [[`${glyphs.ring} offline, from disk`, 'label']];
    case 'connecting':
      return [
        [
          `${glyphs.ring} connecting${connection.attempt > 1 ? ` (${connection.attempt})` : ''}`,
          'warning',
        ],
      ];
    case 'connected':
      if (connection.unansweredSince !== undefined) {
        const silence = formatDuration(now - connection.unansweredSince);
        return [[`${glyphs.ring} no answer for ${silence}`, 'warning']];
      }
      return [
        [glyphs.dot, 'good'],
        [' live', 'plain'],
        [
          connection.roundTripMs === undefined ? '' : ` ${roundTrip(connection.roundTripMs)}`,
          'label',
        ],
      ];
    case 'waiting':
      return [
        [
          `${glyphs.ring} reconnecting ${connection.retryAt - now < 1000 ? 'now' : `in ${formatDuration(connection.retryAt - now)}`}`,
          'warning',
        ],
      ];
    case 'refused':
      return [[`${glyphs.cross} refused: ${connection.code}`, 'bad']];
  }
}

/** What stands in the way of changing something, in a word or two; nothing where nothing does. */
export function accessSpans(access: Access | undefined): Line {
  const holder = access?.control?.holder;
  if (access?.role === 'observe') return [['  read-only', 'warning']];
  if (!holder?.connected || access?.control?.yours) return [];
  return [
    ['  control: ', 'label'],
    [printable(holder.name), 'warning'],
  ];
}

const roundTrip = (milliseconds: number): string =>
  milliseconds < 9.95 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;

/** Part of the whole run that is done, 0..1. */
export function progressOf(view: RunView): number {
  if (view.state === 'done') return 1;
  const total = view.epochs * view.stepsPerEpoch;
  return total > 0 ? Math.min(1, view.step / total) : 0;
}

/** The steps of this epoch that are done: after the last one of an epoch all of them, not none. */
function stepInEpoch({ step, epoch, stepsPerEpoch }: RunView): number {
  return Math.max(0, Math.min(stepsPerEpoch, step - Math.max(0, epoch - 1) * stepsPerEpoch));
}

/** Milliseconds that the run still takes, counted down between two statuses of the worker. @param now by the clock of the view's times. */
export function remainingMs({ status, state }: RunView, now: number): number | undefined {
  if (status?.remainingMs === undefined || isFinal(state)) return undefined;
  const passed = state === 'running' ? Math.max(0, now - status.receivedAt) : 0;
  return Math.max(0, status.remainingMs - passed);
}

/** The two lines at the top of a run's screen: what it is and how it stands, and its numbers. */
export function headerRows(
  { view, now, look, ui }: RunContext,
  width: number,
  frozen?: number,
): Row[] {
  const { painter, glyphs } = look;
  const phase =
    view.status &&
    !isOutOfReach(view.connection) &&
    (view.state === 'running' || view.state === 'starting')
      ? view.status.phase
      : undefined;
  const name: Line = [
    [view.record.recipe, 'strong'],
    ...(view.record.quick ? ([['  quick', 'warning']] satisfies Line) : []),
    ['  '],
    stateSpan(view, look),
    ...(phase && phase !== view.state
      ? ([[` ${glyphs.separator} ${phase}${phasePart(view)}`, 'label']] satisfies Line)
      : []),
    ...(frozen === undefined
      ? []
      : ([
          ['  '],
          [` FROZEN${frozen > 0 ? ` +${formatCount(frozen)}` : ''} `, 'selected'],
        ] satisfies Line)),
    ...(ui.zoomed ? ([[`  ${ui.pane} full screen`, 'accent']] satisfies Line) : []),
  ];
  const identity: Line = [[shortId(view.record.id), 'label'], ['  ']];
  const connection: Line = [
    ...(view.worker && width >= 100
      ? ([[printable(view.worker), 'label'], [' ']] satisfies Line)
      : []),
    ...connectionLine(view.connection, now, look),
    ...accessSpans(view.access),
  ];
  const right = width >= 110 ? [...identity, ...connection] : connection;
  return [paintBetween(name, right, width, painter), numbersRow(view, now, width, look)];
}

const phasePart = ({ status }: RunView): string =>
  status?.phaseProgress === undefined ? '' : ` ${formatPercent(status.phaseProgress)}`;

/** The date, time and letters of a run's id, without its recipe, which stands beside it. */
const shortId = (id: string): string => /\d{8}-\d{6}-\w+$/.exec(id)?.[0] ?? id;

function numbersRow(view: RunView, now: number, width: number, look: Look): Row {
  const { painter } = look;
  const remaining = remainingMs(view, now);
  const live = !isFinal(view.state);
  const numbers: Line[] = [];
  if (view.epochs > 0)
    numbers.push([
      ['epoch ', 'label'],
      [`${Math.max(view.epoch, live ? 1 : view.epoch)}/${view.epochs}`],
    ]);
  if (view.stepsPerEpoch > 0) {
    numbers.push([
      ['step ', 'label'],
      [`${formatCount(stepInEpoch(view))}/${formatCount(view.stepsPerEpoch)}`],
    ]);
  }
  if (live)
    numbers.push([['ETA ', 'label'], [remaining === undefined ? '–' : formatDuration(remaining)]]);
  else if (view.epochsDone.length > 0) {
    numbers.push([
      ['took ', 'label'],
      [formatDuration(view.epochsDone.reduce((sum, { seconds }) => sum + seconds, 0) * 1000)],
    ]);
  }
  const rate = view.status?.examplesPerSecond ?? view.epochsDone.at(-1)?.examplesPerSecond;
  if (rate !== undefined && rate > 0) numbers.push([[formatRate(rate, 'examples')]]);
  const line = joinFitting(numbers, [`  `, 'faint'], width);
  const room = width - lineWidth(line);
  if (room < 14) return paintLine(line, width, painter);
  const percent = formatPercent(progressOf(view)).padStart(4);
  const style =
    view.state === 'done'
      ? 'good'
      : view.state === 'failed'
        ? 'bad'
        : view.state === 'running'
          ? 'accent'
          : 'warning';
  const barWidth = room - 2 - percent.length - 1;
  return `${paintLine(line, width - room, painter)}  ${bar(progressOf(view), barWidth, style, look)} ${percent}`;
}
