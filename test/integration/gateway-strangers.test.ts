import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { closeCodes, limits, subprotocol } from '../../shared/limits.ts';
import { WireClient } from './support/wire-client.ts';
import { homeWithToken } from './support/worker-process.ts';

test('strangers who take all places keep nobody out for longer than five seconds, nor disturb who is there', async () => {
  await using home = await homeWithToken();
  await using worker = home.start();
  using client = await home.connect(worker);
  const { url } = await worker.listening();
  const strangers = await Promise.all(
    Array.from({ length: limits.connections - 1 }, () => WireClient.open(url)),
  );
  const oneMore = new WebSocket(url, subprotocol);
  oneMore.on('error', () => {});
  const [, refusal] = await once(oneMore, 'unexpected-response');
  expect(refusal.statusCode).toBe(503);
  await expect(client.request('run.list', {})).resolves.toMatchObject({ result: { runs: [] } });
  for (const { closed } of strangers) {
    expect(await closed).toMatchObject({ code: closeCodes.authenticationTimeout });
  }
  using late = await home.connect(worker);
  expect(late.welcome?.role).toBe('control');
}, 20_000);

// On other systems this machine has but one address of its own.
test.runIf(process.platform === 'linux')(
  'who guesses from many addresses is stopped, too, and a right token still opens',
  async () => {
    await using home = await homeWithToken();
    await using worker = home.start();
    const { url } = await worker.listening();
    const guessFrom = async (localAddress: string): Promise<string | undefined> => {
      const stranger = await WireClient.open(url, undefined, { localAddress });
      stranger.hello({ token: randomBytes(32).toString('base64url') });
      return (await stranger.closed).reason;
    };
    const addresses = limits.attemptsOverall / limits.attemptsPerAddress;
    for (let address = 1; address <= addresses; address += 1) {
      for (let guess = 0; guess < limits.attemptsPerAddress; guess += 1) {
        expect(await guessFrom(`127.0.1.${address}`)).toBe('wrong-token');
      }
    }
    expect(await guessFrom('127.0.2.1')).toBe('too-many-attempts');
    using client = await home.connect(worker);
    expect(client.welcome).toBeDefined();
  },
  20_000,
);
