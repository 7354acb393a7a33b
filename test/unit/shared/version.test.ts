import { expect, test } from 'vitest';
import packageFile from '../../../package.json' with { type: 'json' };
import { version } from '../../../shared/version.ts';

test("the version in the program is the package's", () => {
  expect(version).toBe(packageFile.version);
});
