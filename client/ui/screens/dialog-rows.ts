import { formatPercent } from '../formatting.ts';
import { hintRow } from '../keys/hints.ts';
import { bar } from '../panes/pane.ts';
import type { Dialog } from '../state/dialog.ts';
import type { Look } from '../style/look.ts';
import { frameRows, type Line, lineWidth, paintLine, type Row } from '../text/line.ts';
import { printable, wrapWords } from '../text/width.ts';
import { formRows } from './form-rows.ts';

/** Rows that lie over a screen, and where. */
export interface Overlay {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly rows: readonly Row[];
}

/** A dialog in the middle of a screen of this size. */
export function dialogOverlay(dialog: Dialog, columns: number, rows: number, look: Look): Overlay {
  const width = Math.min(columns, 72);
  const inside = Math.max(1, width - 4);
  const paint = (line: Line) => paintLine(line, inside, look.painter);
  const content: Row[] = [];
  if (dialog.kind === 'progress') {
    const { message, done, total } = dialog.progress;
    for (const text of wrapWords(printable(message), inside).slice(0, 3))
      content.push(paint([[text]]));
    if (total !== undefined && total > 0) {
      const percent = ` ${formatPercent((done ?? 0) / total).padStart(4)}`;
      content.push(bar((done ?? 0) / total, inside - percent.length, 'accent', look) + percent);
    }
    content.push(
      paint([]),
      paint([
        ['Esc', 'key'],
        [' cancel', 'label'],
      ]),
    );
  } else {
    for (const line of dialog.lines)
      for (const text of wrapWords(line, inside)) content.push(paint([[text, 'label']]));
    if (dialog.lines.length > 0) content.push(paint([]));
    if (dialog.kind === 'form') {
      content.push(...formRows(dialog.form, inside, dialog.form.fields.length, look));
      const description = dialog.form.fields[dialog.form.focus]?.description ?? '';
      if (description !== '')
        content.push(
          paint([]),
          ...wrapWords(description, inside).map((text) => paint([[text, 'label']])),
        );
      content.push(
        paint([]),
        hintRow(
          'form',
          inside,
          look,
          { 'form.submit': 'do it' },
          dialog.form.fields.length > 1 ? ['field.laterValue'] : ['field.next', 'field.laterValue'],
        ),
      );
    } else {
      const answers = dialog.answers.map((answer, index) =>
        paint(answerLine(answer, index === dialog.chosen, inside, look)),
      );
      content.push(...answers, paint([]), hintRow('choice', inside, look));
    }
  }
  const height = Math.min(rows, content.length + 2);
  return {
    left: Math.max(0, Math.floor((columns - width) / 2)),
    top: Math.max(0, Math.floor((rows - height) / 2)),
    width,
    rows: frameRows(
      content,
      { title: [[dialog.title, 'accentStrong']], focused: true },
      width,
      height,
      look,
    ),
  };
}

function answerLine(
  answer: { label: string; key?: string; description?: string },
  chosen: boolean,
  width: number,
  { glyphs }: Look,
): Line {
  const line: Line = [
    [chosen ? `${glyphs.pointer} ` : '  ', 'accent'],
    [(answer.key ?? '').padEnd(2), 'key'],
    [answer.label, chosen ? 'accentStrong' : 'plain'],
  ];
  const description = answer.description === undefined ? '' : `  ${answer.description}`;
  return lineWidth(line) + description.length <= width ? [...line, [description, 'label']] : line;
}
