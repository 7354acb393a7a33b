import { expect, it } from 'vitest';
import { recipeList, settingList } from '../../../../client/cli/setting-help.ts';
import { recipeNames, settingsSchemas } from '../../../../shared/recipes.ts';

it.each(recipeNames)(
  'the help of %s names every setting with its default and what it does',
  (name) => {
    const text = settingList(name);
    for (const key of Object.keys(settingsSchemas[name].shape)) {
      const line = text.split('\n').find((candidate) => candidate.startsWith(`  ${key} `));
      // Its value, then a sentence about it.
      expect(line, key).toMatch(/^ {2}\w+ +\S+ .* [A-Z][\w ,'-]{8,}/);
    }
    expect(recipeList()).toContain(name);
  },
);

it('what --quick changes stands beside the default', () => {
  expect(settingList('digits-pixel-rnn')).toMatch(/dataset +binarized-mnist +mnist-10k /);
});

it('is no wider than the terminal, and each sentence keeps its column', () => {
  const lines = settingList('digits-pixel-rnn', 90).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(90);
  const at = lines.find((line) => line.includes('emaMomentum'))?.indexOf('Momentum of') ?? 0;
  const following = lines[lines.findIndex((line) => line.includes('emaMomentum')) + 1] ?? '';
  expect(following.slice(0, at).trim()).toBe('');
  expect(following.slice(at)).toMatch(/^\S/);
});
