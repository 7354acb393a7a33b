import type { Field, Form } from '../state/form.ts';
import type { Look } from '../style/look.ts';
import { type Line, paintLine, type Row } from '../text/line.ts';
import { printable, takeCells } from '../text/width.ts';

/** A form's fields, one a row, as many as fit around the chosen one; its description is for the caller to show. */
export function formRows(form: Form, width: number, height: number, look: Look): Row[] {
  const labelWidth = Math.min(24, Math.max(...form.fields.map(({ label }) => label.length)) + 2);
  const from = Math.max(
    0,
    Math.min(form.focus - Math.floor(height / 2), form.fields.length - height),
  );
  return form.fields.slice(from, from + Math.max(1, height)).map((field, index) => {
    const chosen = from + index === form.focus;
    const line: Line = [
      [chosen ? `${look.glyphs.pointer} ` : '  ', 'accent'],
      [field.label.padEnd(labelWidth), chosen ? 'accentStrong' : 'label'],
      ...valueLine(field, chosen, look),
      ...(field.error === undefined
        ? []
        : ([['  '], [`${look.glyphs.cross} ${field.error}`, 'bad']] satisfies Line)),
    ];
    return paintLine(line, width, look.painter);
  });
}

function valueLine(field: Field, chosen: boolean, { glyphs }: Look): Line {
  const style = field.error === undefined ? (field.changed ? 'accent' : 'plain') : 'bad';
  switch (field.kind) {
    case 'toggle':
      return [
        [field.on ? `${glyphs.check} yes` : `${glyphs.ring} no`, field.on ? 'accent' : style],
      ];
    case 'choice':
      return chosen && field.choices.length > 1
        ? [
            [`${glyphs.left} `, 'accent'],
            [printable(field.value), style],
            [` ${glyphs.right}`, 'accent'],
            [`  ${field.choices.indexOf(field.value) + 1} of ${field.choices.length}`, 'label'],
          ]
        : [[printable(field.value), style]];
    case 'text': {
      if (!chosen) return [[printable(field.edited.text), style]];
      const characters = [...field.edited.text];
      const before = characters.slice(0, field.edited.cursor).join('');
      const at = characters[field.edited.cursor] ?? ' ';
      const after = characters.slice(field.edited.cursor + 1).join('');
      return [
        [printable(before), style],
        [takeCells(printable(at), 2) || ' ', 'selected'],
        [printable(after), style],
      ];
    }
  }
}
