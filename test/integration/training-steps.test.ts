import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { recipeNames } from '../../shared/recipes.ts';
import { engineEnvironment } from '../../worker/native/environment.ts';

interface Counts {
  readonly tensors: number;
  readonly handles: number;
}

interface Found {
  readonly recipes: Readonly<Record<string, { readonly first: Counts; readonly last: Counts }>>;
  readonly before: number;
  readonly after: number;
}

let found: Found;
let stderr: string;
beforeAll(async () => {
  const script = join(import.meta.dirname, 'support', 'training-steps.ts');
  const env = { ...process.env, ...(await engineEnvironment()) };
  const result = await promisify(execFile)(process.execPath, [script], { env });
  found = JSON.parse(result.stdout);
  stderr = result.stderr;
}, 120_000);

test.each(recipeNames)('three hundred steps of %s leave no tensor and no handle behind', (name) => {
  const counts = found.recipes[name];
  expect(counts?.first.handles).toBeGreaterThan(0);
  expect(counts?.last).toEqual(counts?.first);
});

test('a model and its optimizer give back every handle when they are disposed', () => {
  expect(found.after).toBe(found.before);
});

test('training prints nothing to stderr', () => {
  expect(stderr).toBe('');
});
