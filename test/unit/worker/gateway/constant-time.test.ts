import { randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Pairing } from '../../../../worker/gateway/pairing.ts';
import { Tokens } from '../../../../worker/gateway/tokens.ts';

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  return { ...real, timingSafeEqual: vi.fn(real.timingSafeEqual) };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-constant-time-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a token is compared in constant time with all that there are, whichever it is and whether it is one', async () => {
  const tokens = await Tokens.open(join(folder, 'tokens.json'));
  const file = join(folder, 'given');
  const given = randomBytes(32).toString('base64url');
  await writeFile(file, given, { mode: 0o600 });
  await tokens.accept(file);
  const issued = [];
  for (const id of ['one', 'two', 'three']) {
    issued.push(await tokens.issue({ id, name: id }, 'control', 1));
  }
  const compared = [given, ...issued, 'x'.repeat(43), ''].map((token) => {
    vi.mocked(timingSafeEqual).mockClear();
    const role = tokens.roleOf(token);
    return [role, vi.mocked(timingSafeEqual).mock.calls.length];
  });
  const known = ['control', 4];
  const unknown = [undefined, 4];
  expect(compared).toEqual([known, known, known, known, unknown, unknown]);
});

test('a code is compared in constant time, however much of it is right', () => {
  const pairing = new Pairing(randomBytes);
  const { code } = pairing.issue(0);
  const nearly = `${code.slice(0, -1)}${code.endsWith('Z') ? 'Y' : 'Z'}`;
  for (const guess of ['AAAA-AAAA', nearly, '', code]) {
    vi.mocked(timingSafeEqual).mockClear();
    expect(pairing.isRight(guess, 1)).toBe(guess === code);
    expect(timingSafeEqual).toHaveBeenCalledTimes(1);
  }
});
