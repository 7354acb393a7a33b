import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { WorkerLink } from '../../client/session/worker-link.ts';
import { limits } from '../../shared/limits.ts';
import { GatewayServer } from '../../worker/gateway/server.ts';
import { endsWithTest, quickTimes, recipe } from './session-set-up.ts';
import { ThrottledLine } from './support/throttled-line.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

const silenceMs = 700;
/** A chunk takes 1.3 s, and each piece of it that the line carries at once a third of a second. */
const bytesPerSecond = 200_000;

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
  await using line = await ThrottledLine.to(url, bytesPerSecond);
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

test('a request arrives over a line on which it takes longer than silence may last', async () => {
  const worker = { id: 'w', name: 'w', version: '0', epoch: 'e', startedAt: 0 };
  let uploaded = 0;
  const server = new GatewayServer({
    authenticate: async () => ({
      welcome: { worker, capabilities: [], limits: {}, role: 'control' },
      tokenId: 'of-a-token',
    }),
    welcomed: () => {},
    perform: async (_client, { payload }) => {
      uploaded += 1;
      return { result: { received: payload.byteLength } };
    },
    commands: () => {},
    hasRoom: () => {},
    closed: () => {},
    onFault: (_what, error) => expect.fail(String(error)),
  });
  const port = await server.listen(0, '127.0.0.1');
  await using line = await ThrottledLine.to(`ws://127.0.0.1:${port}/`, bytesPerSecond);
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
