import { z } from 'zod';
import { recipeNames, recipes, settingsSchemas } from './recipes.ts';

/**
 * The recipes as another program reads them: how a client that has no copy of `recipes.ts` finds the
 * settings that a run's record must hold, what each takes and what it is when nobody says.
 */

export const recipeDescriptionSchema = z.object({
  name: z.string(),
  title: z.string(),
  task: z.string(),
  description: z.string(),
  /** By a setting's name, a JSON Schema (draft 2020-12) of its value. */
  settings: z.record(
    z.string(),
    z.looseObject({ default: z.unknown(), description: z.string().optional() }),
  ),
  /** What a quick run sets otherwise. */
  quick: z.record(z.string(), z.unknown()),
});
export type RecipeDescription = z.infer<typeof recipeDescriptionSchema>;

export const describeRecipes = (): RecipeDescription[] =>
  recipeNames.map((name) => {
    const { title, task, description, quick } = recipes[name];
    const { properties } = z.toJSONSchema(settingsSchemas[name]);
    // Every setting is a plain value with a default, so each of the properties is of that form.
    const settings = properties as RecipeDescription['settings'];
    return { name, title, task, description, settings, quick };
  });
