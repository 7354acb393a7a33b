import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../../../shared/limits.ts';
import { Tokens } from '../../../../worker/gateway/tokens.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-tokens-'));
  path = join(folder, 'tokens.json');
});
afterEach(() => rm(folder, { recursive: true }));

test('an issued token is valid from then on, also for the next process, and is on disk as a hash only', async () => {
  const tokens = await Tokens.open(path);
  const token = await tokens.issue('client-1', 'laptop', 1);
  expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  expect(tokens.isValid(token)).toBe(true);
  expect(tokens.isValid(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)).toBe(false);
  expect(tokens.isValid('')).toBe(false);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, 'utf8')).not.toContain(token);
  await chmod(path, 0o644);
  expect((await Tokens.open(path)).isValid(token)).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a client that pairs again has one token, and only so many clients have any', async () => {
  const tokens = await Tokens.open(path);
  const first = await tokens.issue('client-0', 'laptop', 1);
  const second = await tokens.issue('client-0', 'laptop', 2);
  expect([tokens.isValid(first), tokens.isValid(second)]).toEqual([false, true]);
  for (let count = 1; count <= limits.tokens; count += 1)
    await tokens.issue(`client-${count}`, 'other', 3);
  expect(tokens.count).toBe(limits.tokens);
  expect(tokens.isValid(second)).toBe(false);
});

test('a given token file is accepted only when nobody else can read it and it holds a token', async () => {
  const file = join(folder, 'given');
  const token = randomBytes(32).toString('base64url');
  const tokens = await Tokens.open(path);
  await expect(tokens.accept(file)).rejects.toMatchObject({ code: 'token-file-unreadable' });
  await writeFile(file, `${token}\n`, { mode: 0o644 });
  await expect(tokens.accept(file)).rejects.toMatchObject({ code: 'token-file-open' });
  await chmod(file, 0o600);
  await tokens.accept(file);
  expect(tokens.isValid(token)).toBe(true);
  await writeFile(file, 'short');
  await expect(tokens.accept(file)).rejects.toMatchObject({ code: 'bad-token-file' });
});

test('a token file of something else is not overwritten in silence', async () => {
  await writeFile(path, '{"other": true}');
  await expect(Tokens.open(path)).rejects.toMatchObject({ code: 'tokens-unreadable' });
});
