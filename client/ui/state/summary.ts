import { isFinal } from '../../../shared/events.ts';
import type { RunView } from '../../session/types.ts';
import { formatCount, formatMetric } from '../formatting.ts';

/** What stays in the terminal after the dashboard: the run, how it stands and how to find it again. */
export function closingLines(view: RunView): string[] {
  const { record, state, worker } = view;
  const where = worker === undefined ? '' : ` on ${worker}`;
  const lines = [
    `${record.id}: ${state}${where}, epoch ${view.epoch} of ${view.epochs}, step ${formatCount(view.step)}.`,
  ];
  if (view.stateMessage !== undefined) lines.push(view.stateMessage);
  const validation = view.series.get('validation/loss/epoch');
  if (validation && validation.length > 0) {
    let best = 0;
    for (let at = 1; at < validation.length; at += 1)
      if ((validation.values[at] ?? Infinity) < (validation.values[best] ?? Infinity)) best = at;
    lines.push(
      `Best validation loss: ${formatMetric(validation.values[best] ?? Number.NaN)} nats an example, after epoch ${validation.epochs[best] ?? 0}.`,
    );
  }
  const home = view.checkpoints.findLast((checkpoint) => checkpoint.home.state === 'verified');
  if (home?.home.state === 'verified') lines.push(`Checkpoint: ${home.home.directory}`);
  if (!isFinal(state) && view.connection.kind !== 'offline')
    lines.push(`It goes on. See it again with: teletrain attach ${record.id}`);
  else if (state !== 'done') lines.push(`Go on with it: teletrain resume ${record.id}`);
  return lines;
}
