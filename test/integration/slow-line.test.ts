import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createClient } from '../../client/session/client.ts';
import { WorkerLink } from '../../client/session/worker-link.ts';
import { decodeFrame, encodeFrame } from '../../shared/frames.ts';
import { limits, subprotocol } from '../../shared/limits.ts';
import type { ConnectionHost } from '../../worker/gateway/connection-host.ts';
import { GatewayServer } from '../../worker/gateway/server.ts';
import { endsWithTest, quickTimes, recipe } from './session-set-up.ts';
import { NarrowLine } from './support/narrow-line.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

const silenceMs = 700;
const heartbeatMs = 175;
/** A chunk takes 1.3 s, and each piece of it that the line carries at once a third of a second. */
const widths = { toClient: 200_000, toWorker: 200_000 };

vi.mock('../../shared/limits.ts', async (original) => {
  const real = await original<typeof import('../../shared/limits.ts')>();
  // The mock is made before this file's own constants are.
  return { ...real, limits: { ...real.limits, silenceMs: 700, heartbeatMs: 175 } };
});

test('a checkpoint comes home over a line on which one chunk takes longer than silence may last', async () => {
  await using workerHome = await temporaryHome();
  await using home = await temporaryHome();
  const environment = { SMALL_ENGINE_FILE_BYTES: String(limits.chunkBytes + 1) };
  await using worker = new WorkerProcess(workerHome.path, { args: endsWithTest, environment });
  const { url, code } = await worker.listening();
  await using line = await NarrowLine.to(url, widths);
  const times = { ...quickTimes, pingMs: silenceMs / 4, silenceMs };
  const client = createClient({ home: home.path, times });
  try {
    await client.connectWorker(line.url, { code, name: 'colab' });
    const handle = await client.startRun({ recipe, settings: { epochs: 1 }, on: 'colab' });
    const { checkpoints } = await handle.finished();
    expect(checkpoints.map(({ home: { state } }) => state)).toEqual(['verified']);
  } finally {
    await client.close();
  }
}, 30_000);

/** A gateway's end of the line that lets anybody in. */
const serverThat = (perform: ConnectionHost['perform']): GatewayServer =>
  new GatewayServer({
    authenticate: async () => ({
      welcome: {
        worker: { id: 'w', name: 'w', version: '0', epoch: 'e', startedAt: 0 },
        ...{ capabilities: [], limits: {}, role: 'control' },
      },
      tokenId: 'of-a-token',
    }),
    welcomed: () => {},
    perform,
    commands: () => {},
    hasRoom: () => {},
    closed: () => {},
    onFault: (_what, error) => expect.fail(String(error)),
  });

test('a request arrives over a line on which it takes longer than silence may last', async () => {
  let uploaded = 0;
  const server = serverThat(async (_client, { payload }) => {
    uploaded += 1;
    return { result: { received: payload.byteLength } };
  });
  const port = await server.listen(0, '127.0.0.1');
  await using line = await NarrowLine.to(`ws://127.0.0.1:${port}/`, widths);
  const link = new WorkerLink({
    client: { id: randomUUID(), name: 'slow-line', version: '0.0.0' },
    endpoint: async () => ({ url: line.url, auth: { token: 'x'.repeat(43) } }),
    times: quickTimes,
  });
  try {
    await link.connected({ patienceMs: 5_000 });
    const params = { run: 'a-run', checkpoint: 'step-000000001', file: 'a.safetensors', offset: 0 };
    const payload = randomBytes(limits.chunkBytes);
    const answer = await link.request('file.write', params, { payload });
    expect(answer.result).toEqual({ received: limits.chunkBytes });
    expect(uploaded).toBe(1);
  } finally {
    link.close();
    server.refuseNew();
  }
}, 20_000);

test('a client of whom only pings of the WebSocket layer are heard is not dropped, and one that is silent is', async () => {
  const server = serverThat(async () => ({ result: {} }));
  const port = await server.listen(0, '127.0.0.1');
  const welcomed = (heard: (socket: WebSocket, kind: string) => void): WebSocket => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, subprotocol);
    socket.on('open', () => {
      const client = { id: randomUUID(), name: 'simple', version: '1' };
      const auth = { token: 'x'.repeat(43) };
      socket.send(encodeFrame('hello', { protocol: { min: 1, max: 1 }, client, auth }));
    });
    socket.on('message', (message: Buffer) => heard(socket, decodeFrame(message).kind));
    return socket;
  };
  try {
    // The worker's own pings are the clock: so many come in three times the silence.
    let pings = (3 * silenceMs) / heartbeatMs;
    const heard = welcomed((socket, kind) => {
      socket.ping();
      if (kind === 'ping') pings -= 1;
      if (pings === 0) socket.close(1000);
    });
    expect((await once(heard, 'close'))[0]).toBe(1000);
    const silent = welcomed(() => {});
    expect((await once(silent, 'close'))[0]).toBe(1006);
  } finally {
    server.refuseNew();
  }
}, 20_000);
