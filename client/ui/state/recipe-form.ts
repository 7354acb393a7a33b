import { z } from 'zod';
import {
  completeSettings,
  parseSettingText,
  type RecipeName,
  settingsSchemas,
} from '../../../shared/recipes.ts';
import { formatName } from '../formatting.ts';
import { type Field, type Form, fieldOf, textOf } from './form.ts';
import { textField } from './text-field.ts';

/** A recipe's settings before a start, made from its schema: a new setting needs no change here. */
export interface RecipeForm extends Form {
  readonly recipe: RecipeName;
}

/** Stands for the worker that this client starts by itself. */
export const thisMachine = 'this machine';

const quickKey = 'quick';
const workerKey = 'worker';

interface PropertyOf {
  readonly description?: string;
  readonly enum?: readonly unknown[];
}

const jsonSchemaShape = z.object({
  properties: z.record(
    z.string(),
    z.object({ description: z.string().optional(), enum: z.array(z.unknown()).optional() }),
  ),
});

/** Description and choices of every setting. */
function settingProperties(recipe: RecipeName): Record<string, PropertyOf> {
  const parsed = jsonSchemaShape.parse(z.toJSONSchema(settingsSchemas[recipe], { io: 'input' }));
  return Object.fromEntries(
    Object.entries(parsed.properties).map(([key, { description, enum: choices }]) => [
      key,
      {
        ...(description === undefined ? {} : { description }),
        ...(choices === undefined ? {} : { enum: choices }),
      },
    ]),
  );
}

/** The values a start would have without the user: the schema's, or those of `quick`. */
const givenValues = (recipe: RecipeName, quick: boolean): Record<string, unknown> => ({
  ...completeSettings(recipe, {}, { quick }),
});

export function recipeForm(
  recipe: RecipeName,
  workers: readonly string[],
  options: { quick?: boolean; worker?: string } = {},
): RecipeForm {
  const quick = options.quick ?? false;
  const choices = [thisMachine, ...workers];
  const values = givenValues(recipe, quick);
  const fields: Field[] = [
    {
      kind: 'toggle',
      key: quickKey,
      label: 'quick',
      description: 'Small and quick, on real data, to try it out: at most 90 seconds',
      on: quick,
      changed: quick,
    },
    {
      kind: 'choice',
      key: workerKey,
      label: 'worker',
      description:
        'Where it trains: a worker you are connected with, or one started on this machine',
      value:
        options.worker !== undefined && choices.includes(options.worker)
          ? options.worker
          : thisMachine,
      choices,
      changed: false,
    },
    ...Object.entries(settingProperties(recipe)).map(([key, property]): Field => {
      const base = {
        key,
        label: formatName(key),
        description: property.description ?? '',
        changed: false,
      };
      return property.enum
        ? {
            ...base,
            kind: 'choice',
            value: String(values[key]),
            choices: property.enum.map(String),
          }
        : { ...base, kind: 'text', edited: textField(String(values[key])) };
    }),
  ];
  return { recipe, fields, focus: 0 };
}

/**
 * Brings a form up to date after an edit: settings that were not touched follow `quick`, and each
 * value is checked by the recipe's schema.
 * @param before the form before the edit.
 */
export function checkRecipeForm(form: RecipeForm, before: RecipeForm): RecipeForm {
  const quick = textOf(fieldOf(form, quickKey)) === 'yes';
  const was = givenValues(form.recipe, textOf(fieldOf(before, quickKey)) === 'yes');
  const is = givenValues(form.recipe, quick);
  const shape: Readonly<Record<string, z.ZodType>> = settingsSchemas[form.recipe].shape;
  const fields = form.fields.map((field): Field => {
    if (field.key === quickKey) return { ...field, changed: quick };
    if (field.key === workerKey) return { ...field, changed: textOf(field) !== thisMachine };
    const untouched =
      textOf(fieldOf(before, field.key)) === String(was[field.key]) &&
      textOf(field) === String(was[field.key]);
    const text = untouched ? String(is[field.key]) : textOf(field);
    const { error: _, ...rest } = untouched ? withText(field, text) : field;
    const message = problemOf(shape[field.key], field.key, text);
    return {
      ...rest,
      changed: text !== String(is[field.key]),
      ...(message === undefined ? {} : { error: message }),
    };
  });
  return { ...form, fields };
}

const withText = (field: Field, text: string): Field =>
  field.kind === 'choice'
    ? { ...field, value: text }
    : field.kind === 'text' && field.edited.text !== text
      ? { ...field, edited: textField(text) }
      : field;

function problemOf(schema: z.ZodType | undefined, key: string, text: string): string | undefined {
  if (text === '') return 'give a value';
  const parsed = schema?.safeParse(parseSettingText(`${key}=${text}`)[1]);
  return parsed && !parsed.success
    ? (parsed.error.issues[0]?.message ?? 'not a value this setting takes')
    : undefined;
}

/** What to start with, from a form without errors. Only settings that the user changed are given. */
export function startOf(form: RecipeForm): {
  recipe: RecipeName;
  quick: boolean;
  on?: string;
  settings: Record<string, unknown>;
} {
  const worker = textOf(fieldOf(form, workerKey));
  const settings = Object.fromEntries(
    form.fields
      .filter(({ key, changed }) => changed && key !== quickKey && key !== workerKey)
      .map((field) => parseSettingText(`${field.key}=${textOf(field)}`)),
  );
  return {
    recipe: form.recipe,
    quick: textOf(fieldOf(form, quickKey)) === 'yes',
    ...(worker === thisMachine ? {} : { on: worker }),
    settings,
  };
}
