import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';

const project = new URL('../../', import.meta.url);
const document = readFileSync(new URL('SECURITY.md', project), 'utf8');
const quoted = [...document.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

describe('SECURITY.md', () => {
  test.each(quoted.filter((text) => text.startsWith('test/')))(
    'names %s, which is there',
    (path) => {
      expect(existsSync(new URL(path, project))).toBe(true);
    },
  );

  test.each(quoted.filter((text) => /^[a-z]+(?:[A-Z][a-z]+)+$/.test(text)))(
    'names the limit %s, which there is',
    (name) => {
      expect(Object.keys(limits)).toContain(name);
    },
  );
});
