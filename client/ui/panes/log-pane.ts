import { formatClock } from '../formatting.ts';
import type { StyleName } from '../style/theme.ts';
import { type Line, paintLine, type Row } from '../text/line.ts';
import { printable, wrapWords } from '../text/width.ts';
import type { Pane } from './pane.ts';

const styles: Readonly<Record<'info' | 'warning' | 'error', StyleName>> = {
  info: 'plain',
  warning: 'warning',
  error: 'bad',
};

/** The newest log lines, or earlier ones when scrolled. */
export const logPane: Pane = ({ view, ui, look }, size) => {
  const focused = ui.pane === 'log';
  const stampWidth = size.width >= 40 ? 10 : 0;
  const end = Math.max(0, view.log.length - ui.logBack);
  const rows: Row[] = [];
  for (let index = end - 1; index >= 0 && rows.length < size.height; index -= 1) {
    const entry = view.log[index];
    if (!entry) break;
    const wrapped = wrapWords(printable(entry.message), Math.max(8, size.width - stampWidth));
    const lines = wrapped.map(
      (text, at): Line => [
        [
          (at === 0 ? formatClock(entry.time) : '').padEnd(stampWidth).slice(0, stampWidth),
          'label',
        ],
        [text, styles[entry.level]],
      ],
    );
    rows.unshift(
      ...lines
        .map((line) => paintLine(line, size.width, look.painter))
        .slice(-(size.height - rows.length)),
    );
  }
  return {
    frame: {
      title: [['log', focused ? 'accentStrong' : 'strong']],
      note:
        view.log.length === 0
          ? []
          : ui.logBack === 0
            ? [['follows', 'label']]
            : [[`${ui.logBack} back`, 'accent']],
      focused,
    },
    rows:
      rows.length > 0 ? rows : [paintLine([['nothing yet', 'label']], size.width, look.painter)],
  };
};
