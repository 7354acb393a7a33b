import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { Clock } from '../../../../shared/clock.ts';
import { mostWaiting } from '../../../../shared/frame-sender.ts';
import { decodeFrame, encodeFrame } from '../../../../shared/frames.ts';
import { limits } from '../../../../shared/limits.ts';
import { Connection } from '../../../../worker/gateway/connection.ts';
import type { ConnectionHost } from '../../../../worker/gateway/connection-host.ts';
import type { MessageSocket } from '../../../../worker/gateway/message-socket.ts';
import type { Outcome } from '../../../../worker/gateway/outcome.ts';
import type { CheckedRequest } from '../../../../worker/gateway/session.ts';

/** A client's socket that takes what it is sent only when it is told to. */
class SlowSocket extends EventEmitter implements MessageSocket {
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readyState = 1;
  bufferedAmount = 0;
  isPaused = false;
  readonly kinds: string[] = [];
  readonly #waiting: { bytes: number; sent: () => void }[] = [];

  send(frame: Uint8Array, sent: () => void): void {
    this.kinds.push(decodeFrame(frame).kind);
    this.#waiting.push({ bytes: frame.byteLength, sent });
    this.bufferedAmount += frame.byteLength;
  }

  /** The client takes all that waits, and what comes in its place. */
  async takeAll(): Promise<void> {
    for (let idle = 0; idle < 10; idle += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        this.bufferedAmount -= next.bytes;
        next.sent();
        idle = 0;
      }
    }
  }

  says(kind: Parameters<typeof encodeFrame>[0], header: unknown): void {
    this.emit('message', encodeFrame(kind, header), true);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(): void {}
  terminate(): void {}
}

const clock: Clock = {
  now: () => 0,
  monotonic: () => 0,
  after: () => () => {},
  soon: (call) => void setImmediate(call),
};

async function welcomed(
  perform: (request: CheckedRequest) => Outcome | Promise<Outcome>,
  { hasRoom = () => {}, socket = new SlowSocket() } = {},
): Promise<SlowSocket> {
  const worker = { id: 'w', name: 'w', version: '0', epoch: 'e', startedAt: 0 };
  const host: ConnectionHost = {
    authenticate: async () => ({
      welcome: { worker, capabilities: [], limits: {}, role: 'control' },
      tokenId: 'of-a-token',
    }),
    welcomed: () => {},
    perform: (_client, request) => perform(request),
    commands: () => {},
    hasRoom,
    closed: () => {},
    onFault: () => {},
  };
  new Connection(socket, { address: '127.0.0.1', host, clock });
  socket.says('hello', {
    protocol: { min: 1, max: 1 },
    client: { id: 'a-client-of-a-test', name: 'test', version: '0' },
    auth: { token: 'x'.repeat(43) },
  });
  await expect.poll(() => socket.kinds).toContain('welcome');
  await socket.takeAll();
  return socket;
}

test('a client that asks and takes no answers is not listened to until it does', async () => {
  // As long as a run's list may be.
  const runs = 'x'.repeat(900_000);
  const socket = await welcomed(async () => ({ result: { runs } as never }));
  let asked = 0;
  while (!socket.isPaused && asked < 100) {
    asked += 1;
    socket.says('request', { id: `r${asked}`, method: 'run.list', params: {} });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(socket.isPaused).toBe(true);
  expect(asked).toBeLessThan((2 * limits.frameBytes) / runs.length + 2);
  await socket.takeAll();
  expect(socket.isPaused).toBe(false);
  expect(socket.kinds.filter((kind) => kind === 'response')).toHaveLength(asked);
});

test('chunks of a file are read one after the other, as the client takes them', async () => {
  let reads = 0;
  const payload = new Uint8Array(limits.chunkBytes);
  const socket = await welcomed(async () => {
    reads += 1;
    return { result: { size: payload.length } as never, payload: payload.slice() };
  });
  const params = {
    run: 'one',
    checkpoint: 'step-000000010',
    file: 'model.safetensors',
    offset: 0,
    length: limits.chunkBytes,
  };
  for (let asked = 0; asked < limits.requestsInFlight; asked += 1) {
    socket.says('request', { id: `f${asked}`, method: 'file.read', params });
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(reads).toBe(1);
  expect(socket.bufferedAmount).toBeLessThan(mostWaiting.bulk + limits.chunkBytes);
  // What ends a request of another kind is not held up by it.
  socket.says('ping', { time: 1 });
  expect(socket.kinds.at(-1)).toBe('pong');
  await socket.takeAll();
  expect(reads).toBe(limits.requestsInFlight);
});

test('results that a tensor session kept follow the answer that takes it up again, though nothing waits', async () => {
  /** Takes everything at once, and so never tells that it did. */
  class FastSocket extends SlowSocket {
    override send(frame: Uint8Array): boolean {
      this.kinds.push(decodeFrame(frame).kind);
      return true;
    }
  }
  const socket = new FastSocket();
  const hasRoom = () => void socket.kinds.push('results');
  const answer = async () => ({ result: {} as never });
  await welcomed(answer, { hasRoom, socket });
  socket.says('request', {
    id: 't',
    method: 'tensor.open',
    params: { session: 's'.repeat(16), resume: true, got: 0 },
  });
  await expect.poll(() => socket.kinds.slice(-2)).toEqual(['response', 'results']);
});

test('a request that waits for nothing is answered in the turn in which it came', async () => {
  const socket = await welcomed(() => ({ result: {} }));
  socket.says('request', { id: 'u', method: 'run.unfollow', params: { run: 'one' } });
  expect(socket.kinds.at(-1)).toBe('response');
});

test('a method that fails before it waits for anything is answered with its error', async () => {
  const socket = await welcomed(() => {
    throw new Error('a fault');
  });
  socket.says('request', { id: 'u', method: 'run.unfollow', params: { run: 'one' } });
  expect(socket.kinds.at(-1)).toBe('error');
});
