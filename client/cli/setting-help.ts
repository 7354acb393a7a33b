import { z } from 'zod';
import { type RecipeName, recipeNames, recipes, settingsSchemas } from '../../shared/recipes.ts';
import { wrapWords } from '../ui/text/width.ts';
import { formatTable } from './table.ts';

/** The recipes, one a line, for `run --help`. */
export function recipeList(): string {
  const rows = recipeNames.map((name) => [`  ${name}`, recipes[name].title]);
  return formatTable(['Recipes:', ''], rows).join('\n');
}

/**
 * A recipe's settings with their values, for `run <recipe> --help`: from the schema that checks them.
 * @param width in cells, to which sentences are wrapped.
 */
export function settingList(name: RecipeName, width = 80): string {
  const { properties = {} } = z.toJSONSchema(settingsSchemas[name], { io: 'input' });
  const rows = Object.entries(properties).map(([key, schema]) => {
    const about = typeof schema === 'boolean' ? {} : schema;
    const choices = about.enum ? ` (${about.enum.join(', ')})` : '';
    const quick = recipes[name].quick[key];
    return [
      `  ${key}`,
      about.default === undefined ? '' : String(about.default),
      quick === undefined ? '' : String(quick),
      `${about.description ?? ''}${choices}`,
    ];
  });
  const heading = ['Settings:', 'default', '--quick', ''];
  const indent = heading
    .slice(0, -1)
    .map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
    .reduce((sum, cells) => sum + cells + 2, 0);
  const about = rows.flatMap(([key = '', byDefault = '', quick = '', text = '']) =>
    wrapWords(text, Math.max(24, width - indent)).map((part, index) =>
      index === 0 ? [key, byDefault, quick, part] : ['', '', '', part],
    ),
  );
  return [
    ...wrapWords(`${recipes[name].title}. ${recipes[name].description}`, width),
    '',
    ...formatTable(heading, about),
  ].join('\n');
}
