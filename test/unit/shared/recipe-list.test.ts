import { describe, expect, test } from 'vitest';
import { decodeFrame, encodeFrame } from '../../../shared/frames.ts';
import { methods } from '../../../shared/messages.ts';
import { describeRecipes } from '../../../shared/recipe-list.ts';
import { completeSettings, recipeNames } from '../../../shared/recipes.ts';

const overTheWire = (): ReturnType<typeof describeRecipes> => {
  const { header } = decodeFrame(encodeFrame('response', { recipes: describeRecipes() }));
  return methods['recipe.list'].result.parse(header).recipes;
};

describe('the recipes as another program reads them', () => {
  test.each(recipeNames)('%s: its defaults are its complete settings', (name) => {
    const told = overTheWire().find((recipe) => recipe.name === name);
    if (!told) throw new Error(`${name} is not told`);
    const defaults = Object.fromEntries(
      Object.entries(told.settings).map(([key, setting]) => [key, setting.default]),
    );
    expect(defaults).toEqual(completeSettings(name));
    expect({ ...defaults, ...told.quick }).toEqual(completeSettings(name, {}, { quick: true }));
  });

  test('says what a setting takes in the words of JSON Schema', () => {
    const told = overTheWire().find(({ name }) => name === 'digits-pixel-rnn');
    expect(told?.settings.sampleCount).toMatchObject({
      type: 'integer',
      minimum: 1,
      maximum: 400,
      default: 100,
      description: expect.stringContaining('digits'),
    });
    expect(told?.settings.optimizer).toMatchObject({ type: 'string', enum: ['rmsprop', 'adam'] });
    expect(told?.settings.learningRate).toMatchObject({ type: 'number', exclusiveMinimum: 0 });
  });
});
