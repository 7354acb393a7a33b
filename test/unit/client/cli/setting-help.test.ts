import { expect, it } from 'vitest';
import { recipeList, settingList } from '../../../../client/cli/setting-help.ts';
import { recipeNames, settingsSchemas } from '../../../../shared/recipes.ts';

it.each(recipeNames)(
  'the help of %s names every setting with its default and what it does',
  (name) => {
    const text = settingList(name);
    for (const key of Object.keys(settingsSchemas[name].shape)) {
      const line = text.split('\n').find((candidate) => candidate.trim().startsWith(`${key} `));
      // Its value, then a sentence about it.
      expect(line, key).toMatch(/^ {2}\w+ +\S+ .* [A-Z][\w ,'-]{8,}/);
    }
    expect(recipeList()).toContain(name);
  },
);

it('what --quick changes stands beside the default', () => {
  expect(settingList('digits-pixel-rnn')).toMatch(/dataset +binarized-mnist +mnist-10k /);
});
