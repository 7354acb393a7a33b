import type { CheckpointView } from '../../session/types.ts';
import { formatBytes, formatCount, formatPercent } from '../formatting.ts';
import type { Look } from '../style/look.ts';
import { type Line, lineWidth, paintLine, type Row } from '../text/line.ts';
import { bar, type Pane } from './pane.ts';

/** Checkpoints, the newest first, and whether each is on this machine. */
export const checkpointsPane: Pane = ({ view, ui, look }, size) => {
  const focused = ui.pane === 'checkpoints';
  const checkpoints = [...view.checkpoints].reverse();
  const home = checkpoints.filter(({ home: { state } }) => state === 'verified').length;
  const first = Math.max(
    0,
    Math.min(ui.checkpoint - size.height + 1, checkpoints.length - size.height),
  );
  const rows = checkpoints
    .slice(first, first + size.height)
    .map((checkpoint, index) =>
      checkpointRow(checkpoint, focused && first + index === ui.checkpoint, size.width, look),
    );
  return {
    frame: {
      title: [['checkpoints', focused ? 'accentStrong' : 'strong']],
      note:
        checkpoints.length > 0
          ? [[`${home}/${checkpoints.length} here`, home === checkpoints.length ? 'good' : 'label']]
          : [],
      focused,
    },
    rows:
      rows.length > 0
        ? rows
        : [
            paintLine(
              [['none yet: one comes after each epoch', 'label']],
              size.width,
              look.painter,
            ),
          ],
  };
};

function checkpointRow(
  checkpoint: CheckpointView,
  chosen: boolean,
  width: number,
  look: Look,
): Row {
  const { painter, glyphs } = look;
  const left: Line = [
    [chosen ? glyphs.pointer : ' ', 'accent'],
    [checkpoint.best ? glyphs.star : ' ', 'good'],
    [` ${formatCount(checkpoint.step).padStart(7)}`, chosen ? 'accentStrong' : 'plain'],
    [width >= 46 ? `  epoch ${String(checkpoint.epoch).padStart(2)}` : '', 'label'],
    [`  ${formatBytes(checkpoint.bytes).padStart(8)}`],
    ['  '],
  ];
  const leftWidth = lineWidth(left);
  const room = width - leftWidth;
  if (room < 8) return paintLine(left, width, painter);
  const { home } = checkpoint;
  if (home.state === 'arriving') {
    const part = checkpoint.bytes > 0 ? home.received / checkpoint.bytes : 0;
    const speed = room >= 24 ? ` ${formatBytes(home.bytesPerSecond)}/s` : '';
    const text = ` ${formatPercent(part).padStart(4)}${speed.padStart(speed === '' ? 0 : 12)}`;
    const barWidth = Math.max(2, room - text.length);
    return (
      paintLine(left, leftWidth, painter) +
      bar(part, barWidth, 'accent', look) +
      paintLine([[text, 'label']], room - barWidth, painter)
    );
  }
  return paintLine([...left, homeSpan(checkpoint, look)], width, painter);
}

function homeSpan({ home, removedOnWorker }: CheckpointView, { glyphs }: Look): Line[number] {
  switch (home.state) {
    case 'verified':
      return [`${glyphs.check} here`, 'good'];
    case 'waiting':
      return [`${glyphs.arrowDown} waits`, 'label'];
    case 'failed':
      return [`${glyphs.cross} ${home.code}`, 'bad'];
    default:
      return [removedOnWorker ? 'rotated away' : 'on the worker', 'label'];
  }
}
