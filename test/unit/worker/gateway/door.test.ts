import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closeCodes, limits } from '../../../../shared/limits.ts';
import type { Hello, Role } from '../../../../shared/messages.ts';
import { Door } from '../../../../worker/gateway/door.ts';
import { Pairing } from '../../../../worker/gateway/pairing.ts';
import { Tokens, tokenId } from '../../../../worker/gateway/tokens.ts';

let folder: string;
let door: Door;
let tokens: Tokens;
let pairings: Record<Role, Pairing>;
let paired: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-door-'));
  pairings = { control: new Pairing(randomBytes), observe: new Pairing(randomBytes) };
  paired = [];
  tokens = await Tokens.open(join(folder, 'tokens.json'));
  door = new Door({
    pairings,
    tokens,
    worker: { id: 'w', name: 'w', version: '0.1.0', epoch: 'e', startedAt: 0 },
    onPaired: (name, role) => paired.push(`${name} ${role}`),
  });
});
afterEach(() => rm(folder, { recursive: true }));

const come = (id: string, auth: Hello['auth']) =>
  door.authenticate(
    { protocol: { min: 1, max: 1 }, client: { id, name: id, version: '0.1.0' }, auth },
    'somewhere',
    1,
  );
const tokenFor = async (id: string, role: Role): Promise<string> => {
  const verdict = await come(id, { code: pairings[role].issue(0).code });
  return 'welcome' in verdict ? (verdict.welcome.token ?? '') : verdict.refused.code;
};

test('each code gives a token of its role, and the other code stays valid', async () => {
  const { code } = pairings.control.issue(0);
  const observing = await tokenFor('watcher', 'observe');
  expect(await come('watcher', { token: observing })).toMatchObject({
    welcome: { role: 'observe' },
  });
  expect(await come('laptop-1', { code })).toMatchObject({ welcome: { role: 'control' } });
  expect(paired).toEqual(['watcher observe', 'laptop-1 control']);
});

test('who may change things does not lose that by trying the code made for an observer', async () => {
  const token = await tokenFor('laptop-1', 'control');
  const { code } = pairings.observe.issue(0);
  const refused = await come('laptop-1', { code });
  expect(refused).toMatchObject({
    refused: { code: 'may-control-already' },
    code: closeCodes.unauthorised,
  });
  expect(await come('laptop-1', { token })).toMatchObject({ welcome: { role: 'control' } });
  expect(await come('watcher', { code })).toMatchObject({ welcome: { role: 'observe' } });
});

test('an observer that pairs by the code that the worker shows may change things, and its earlier token ends', async () => {
  const before = await tokenFor('watcher', 'observe');
  const after = await tokenFor('watcher', 'control');
  expect(await come('watcher', { token: after })).toMatchObject({ welcome: { role: 'control' } });
  expect(await come('watcher', { token: before })).toMatchObject({
    refused: { code: 'wrong-token' },
  });
});

test('who comes with a revoked token is told that, as often as it comes, and it counts as no guess', async () => {
  const token = await tokenFor('watcher', 'observe');
  expect(await tokens.revoke(tokenId(token))).toMatchObject({ client: 'watcher' });
  for (let time = 0; time <= limits.attemptsPerAddress; time += 1) {
    expect(await come('watcher', { token })).toMatchObject({
      refused: { code: 'access-revoked' },
      code: closeCodes.unauthorised,
    });
  }
  const anew = await tokenFor('watcher', 'observe');
  expect(await come('watcher', { token: anew })).toMatchObject({ welcome: { role: 'observe' } });
});
