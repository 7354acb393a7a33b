import { recipes } from '../../../shared/recipes.ts';
import { hintRow } from '../keys/hints.ts';
import type { RecipeForm } from '../state/recipe-form.ts';
import type { Look } from '../style/look.ts';
import { fill, frameRows, insideFrame, type Line, paintLine, type Row } from '../text/line.ts';
import { wrapWords } from '../text/width.ts';
import { formRows } from './form-rows.ts';

/** A recipe's settings before a start, as exactly `rows` rows of `columns` cells. */
export function startScreenRows(
  form: RecipeForm,
  size: { columns: number; rows: number; notice?: Line; alerts: readonly Row[] },
  look: Look,
): Row[] {
  const { columns, rows, alerts } = size;
  const recipe = recipes[form.recipe];
  const height = rows - 2 - alerts.length;
  const inside = insideFrame(columns, height);
  const field = form.fields[form.focus];
  const description = wrapWords(field?.description ?? '', Math.max(8, inside.width - 2)).slice(
    0,
    2,
  );
  const about =
    inside.height >= 14 ? wrapWords(recipe.description, inside.width - 2).slice(0, 2) : [];
  const listHeight =
    inside.height - description.length - 1 - (about.length > 0 ? about.length + 1 : 0);
  const changed = form.fields.filter((item) => item.changed).length;
  const paint = (line: Line) => paintLine(line, inside.width, look.painter);
  const content = [
    ...about.map((text) => paint([['  '], [text, 'label']])),
    ...(about.length > 0 ? [paint([])] : []),
    ...fill(formRows(form, inside.width, listHeight, look), inside.width, listHeight),
    paint([]),
    ...description.map((text) => paint([['  '], [text, 'label']])),
  ];
  return [
    paintLine(
      [
        [' teletrain', 'accentStrong'],
        ['  new run', 'label'],
      ],
      columns,
      look.painter,
    ),
    ...alerts,
    ...frameRows(
      content,
      {
        title: [
          [form.recipe, 'accentStrong'],
          [`  ${recipe.title}`, 'label'],
        ],
        note: changed > 0 ? [[`${changed} changed`, 'accent']] : [],
        focused: true,
      },
      columns,
      height,
      look,
    ),
    size.notice
      ? paintLine([[' '], ...size.notice], columns, look.painter)
      : ` ${hintRow('form', columns - 1, look)}`,
  ];
}
