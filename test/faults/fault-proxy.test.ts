import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createRandom } from '../../worker/engine/random.ts';
import { listenOnLoopback, portOf } from '../integration/support/loopback.ts';
import { FaultProxy, type FaultProxyOptions } from './fault-proxy.ts';

/** What an end of a connection saw. */
class End {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  how: 'open' | 'ended' | 'reset' = 'open';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => this.chunks.push(bytes));
    socket.on('end', () => {
      this.how = 'ended';
    });
    socket.on('error', () => {
      this.how = 'reset';
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** A proxy to a server that sends everything back, and a connection through it. */
async function throughProxy(options: Partial<FaultProxyOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const far: End[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    far.push(new End(socket));
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end());
  });
  await listenOnLoopback(server);
  stack.defer(() => {
    for (const { socket } of far) socket.destroy();
    server.close();
  });
  const proxy = stack.use(await FaultProxy.listen({ random: createRandom(1, 'line'), ...options }));
  proxy.target = portOf(server);
  const dial = async (): Promise<End> => {
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
    stack.defer(() => void socket.destroy());
    const end = new End(socket);
    // Where the line is down, the reset may be all that comes.
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {});
    return end;
  };
  const near = await dial();
  return { proxy, near, far, dial, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(2);
};
const bytesOf = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, index) => index % 251));

test('a line that delays, jitters, throttles and fragments delivers every byte in order, later', async () => {
  const worse = { delayMs: 30, jitterMs: 20, bytesPerSecond: 100_000, pieceBytes: 700 };
  await using line = await throughProxy({ conditions: { toWorker: worse, toClient: worse } });
  const sent = bytesOf(20_000);
  const startedAt = performance.now();
  line.near.socket.write(sent);
  await until(() => line.near.bytes.length === sent.length);
  // Two delays, and the time that the bytes take one way: the way back begins meanwhile.
  expect(performance.now() - startedAt).toBeGreaterThan(2 * 30 + 200 - 10);
  expect(line.near.bytes).toEqual(sent);
  expect(line.near.chunks.length).toBeGreaterThan(10);
});

test('conditions that change hold for connections that are open, and each direction has its own', async () => {
  await using line = await throughProxy();
  line.near.socket.write('quick');
  await until(() => line.near.bytes.length === 5);
  line.proxy.conditions = { toWorker: {}, toClient: { delayMs: 80 } };
  const startedAt = performance.now();
  line.near.socket.write('slow');
  await until(() => line.far[0]?.bytes.length === 9);
  const there = performance.now() - startedAt;
  await until(() => line.near.bytes.length === 9);
  expect(performance.now() - startedAt).toBeGreaterThan(Math.max(79, there));
});

test('a cut is a reset, or an end after what was on the way', async () => {
  await using line = await throughProxy({ conditions: { toClient: { delayMs: 50 } } });
  line.near.socket.write('on the way');
  await until(() => line.far[0]?.bytes.length === 10);
  line.proxy.cut('end');
  await until(() => line.near.how === 'ended');
  expect(String(line.near.bytes)).toBe('on the way');

  const other = await line.dial();
  other.socket.write('on the way');
  await until(() => line.far[1]?.bytes.length === 10);
  line.proxy.cut('reset');
  await until(() => other.how === 'reset' && line.far[1]?.how === 'reset');
  expect(other.bytes.length).toBe(0);
});

test('a cut can wait for the byte, in either direction', async () => {
  await using line = await throughProxy({ conditions: { toWorker: { pieceBytes: 10 } } });
  line.proxy.cutAfter('toWorker', 1_000, 'reset');
  line.near.socket.write(bytesOf(3_000));
  await until(() => line.near.how === 'reset');
  const arrived = line.far[0]?.bytes.length ?? 0;
  expect(arrived).toBeLessThan(1_000);
  expect((await line.dial()).how).toBe('open');
});

test('a line that is down takes no connection until it comes up', async () => {
  await using line = await throughProxy();
  line.proxy.goDown();
  await until(() => line.near.how === 'reset');
  const refused = await line.dial();
  await until(() => refused.how === 'reset');
  line.proxy.comeUp();
  const taken = await line.dial();
  taken.socket.write('there');
  await until(() => taken.bytes.length === 5);
});

test.each(['forgotten', 'silent'] as const)(
  'what is sent on a half-open line vanishes, its end too; afterwards it is %s and new ones work',
  async (afterwards) => {
    await using line = await throughProxy();
    line.near.socket.write('before');
    await until(() => line.near.bytes.length === 6);
    line.proxy.vanish();
    const whileVanished = await line.dial();
    line.near.socket.write('vanishes');
    whileVanished.socket.write('vanishes');
    line.far[0]?.socket.end();
    await sleep(50);
    expect([line.near.how, whileVanished.how, line.far.length]).toEqual(['open', 'open', 1]);
    expect(String(line.far[0]?.bytes)).toBe('before');
    line.proxy.reappear(afterwards);
    const anew = await line.dial();
    anew.socket.write('works');
    await until(() => anew.bytes.length === 5);
    if (afterwards === 'forgotten') await until(() => whileVanished.how === 'reset');
    expect(line.near.how).toBe(afterwards === 'forgotten' ? 'reset' : 'open');
    expect(String(line.near.bytes)).toBe('before');
  },
);
