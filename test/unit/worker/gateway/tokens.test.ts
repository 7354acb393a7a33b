import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../../../shared/limits.ts';
import { Tokens, tokenId } from '../../../../worker/gateway/tokens.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-tokens-'));
  path = join(folder, 'tokens.json');
});
afterEach(() => rm(folder, { recursive: true }));

const client = (id: string) => ({ id, name: 'laptop' });

test('an issued token is valid from then on, also for the next process, and is on disk as a hash only', async () => {
  const tokens = await Tokens.open(path);
  const token = await tokens.issue(client('client-1'), 'control', 1);
  expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  expect(tokens.roleOf(token)).toBe('control');
  expect(tokens.roleOf(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)).toBeUndefined();
  expect(tokens.roleOf('')).toBeUndefined();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, 'utf8')).not.toContain(token);
  await chmod(path, 0o644);
  expect((await Tokens.open(path)).roleOf(token)).toBe('control');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a client that pairs again has one token, and only so many clients have any', async () => {
  const tokens = await Tokens.open(path);
  const first = await tokens.issue(client('client-0'), 'control', 1);
  const second = await tokens.issue(client('client-0'), 'control', 2);
  expect([tokens.roleOf(first), tokens.roleOf(second)]).toEqual([undefined, 'control']);
  for (let count = 1; count <= limits.tokens; count += 1)
    await tokens.issue(client(`client-${count}`), 'control', 3);
  expect(tokens.roleOf(second)).toBeUndefined();
});

test('clients that pair at one moment all have their tokens, also for the next process', async () => {
  const tokens = await Tokens.open(path);
  const issued = await Promise.all([
    tokens.issue(client('client-0'), 'control', 1),
    tokens.issue(client('watcher-0'), 'observe', 1),
    tokens.issue(client('client-1'), 'control', 1),
  ]);
  const roles = ['control', 'observe', 'control'];
  expect(issued.map((token) => tokens.roleOf(token))).toEqual(roles);
  const next = await Tokens.open(path);
  expect(issued.map((token) => next.roleOf(token))).toEqual(roles);
});

test('an observer has a token of its own role, and no number of observers takes a controller its token', async () => {
  const tokens = await Tokens.open(path);
  const controls = await tokens.issue(client('client-0'), 'control', 1);
  const first = await tokens.issue(client('watcher-0'), 'observe', 1);
  expect([tokens.isController('client-0'), tokens.isController('watcher-0')]).toEqual([
    true,
    false,
  ]);
  for (let count = 1; count <= limits.tokens; count += 1)
    await tokens.issue(client(`watcher-${count}`), 'observe', 2);
  const again = await Tokens.open(path);
  expect([again.roleOf(controls), again.roleOf(first)]).toEqual(['control', undefined]);
  expect(again.hasController).toBe(true);
});

test('tokens from before there were roles may control, and a file with an observer is none that an older worker reads', async () => {
  const format = async () => JSON.parse(await readFile(path, 'utf8')).format;
  const tokens = await Tokens.open(path);
  const token = await tokens.issue(client('client-0'), 'control', 1);
  expect(await format()).toBe(1);
  await writeFile(path, (await readFile(path, 'utf8')).replace(/,\s*"role": "control"/, ''));
  const later = await Tokens.open(path);
  expect(later.roleOf(token)).toBe('control');
  await later.issue(client('watcher'), 'observe', 2);
  expect(await format()).toBe(2);
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
  expect(tokens.roleOf(token)).toBe('control');
  await writeFile(file, 'short');
  await expect(tokens.accept(file)).rejects.toMatchObject({ code: 'bad-token-file' });
});

test('a token file of something else is not overwritten in silence', async () => {
  await writeFile(path, '{"other": true}');
  await expect(Tokens.open(path)).rejects.toMatchObject({ code: 'tokens-unreadable' });
});

test('a token that is revoked opens nothing more, also in the next process, and is known for that', async () => {
  const tokens = await Tokens.open(path);
  const controls = await tokens.issue(client('client-0'), 'control', 1);
  const first = await tokens.issue(client('watcher-0'), 'observe', 2, 'Ada');
  const second = await tokens.issue(client('watcher-1'), 'observe', 3);
  expect(tokens.observers).toEqual([
    { id: tokenId(first), name: 'Ada', client: 'laptop', pairedAt: 2 },
    { id: tokenId(second), name: 'laptop', client: 'laptop', pairedAt: 3 },
  ]);
  expect(await tokens.revoke(tokenId(first))).toMatchObject({ name: 'Ada' });
  // Only observers are revoked, and each once.
  expect(await tokens.revoke(tokenId(first))).toBeUndefined();
  expect(await tokens.revoke(tokenId(controls))).toBeUndefined();
  for (const known of [tokens, await Tokens.open(path)]) {
    expect([controls, first, second].map((token) => known.roleOf(token))).toEqual([
      'control',
      undefined,
      'observe',
    ]);
    expect([first, second].map((token) => known.isRevoked(tokenId(token)))).toEqual([true, false]);
    expect(known.observers.map(({ id }) => id)).toEqual([tokenId(second)]);
  }
});
