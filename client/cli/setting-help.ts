import { z } from 'zod';
import { type RecipeName, recipeNames, recipes, settingsSchemas } from '../../shared/recipes.ts';
import { formatTable } from './table.ts';

/** The recipes, one a line, for `run --help`. */
export function recipeList(): string {
  const rows = recipeNames.map((name) => [`  ${name}`, recipes[name].title]);
  return formatTable(['Recipes:', ''], rows).join('\n');
}

/** A recipe's settings with their values, for `run <recipe> --help`: from the schema that checks them. */
export function settingList(name: RecipeName): string {
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
  return [
    `${recipes[name].title}. ${recipes[name].description}`,
    '',
    ...formatTable(['Settings:', 'default', '--quick', ''], rows),
  ].join('\n');
}
