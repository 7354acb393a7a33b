/**
 * The wire of the backend `remote` beside a bare WebSocket, by turns in one run, over loopback:
 *
 *     node test/bench/remote-wire.ts
 *
 * Prints medians as JSON. Starts a worker and an echo server of its own.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { WebSocket } from 'ws';
import { connect } from '../../client/remote/connect.ts';
import { createClient } from '../../client/session/client.ts';
import { clientFolders } from '../../client/session/folders.ts';
import { PairedWorkers } from '../../client/session/workers.ts';
import { workerFolders } from '../../worker/folders.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';

const rounds = 7;
const megabytes = 64;
const kernels = 20_000;
const trips = 300;

await using workerHome = await temporaryHome();
await using home = await temporaryHome();
await using worker = new WorkerProcess(workerHome.path, {
  args: ['--parent-watch'],
  // The engine that was set up already.
  environment: { TELETRAIN_CACHE: workerFolders().cache },
});
const { url, code } = await worker.listening();
const client = createClient({ home: home.path });
await client.connectWorker(url, { code, name: 'bench' });
await client.close();
let session = await connect('bench', { home: home.path });
await tf.setBackend('remote');

/** Steps of a small dense model, none of whose values is read. @returns ms a step, the last one done. */
async function trainingStepMs(): Promise<number> {
  const steps = 200;
  const x = tf.ones([32, 16]);
  const y = tf.ones([32, 1]);
  const hidden = tf.variable(tf.fill([16, 32], 0.1));
  const output = tf.variable(tf.fill([32, 1], 0.1));
  const optimizer = tf.train.sgd(0.001);
  const step = () =>
    optimizer.minimize(
      () => tf.losses.meanSquaredError(y, x.matMul(hidden).tanh().matMul(output)) as tf.Scalar,
    );
  for (let index = 0; index < 20; index += 1) step();
  await output.data();
  const start = performance.now();
  for (let index = 0; index < steps; index += 1) step();
  await output.data();
  const ms = (performance.now() - start) / steps;
  tf.dispose([x, y, hidden, output]);
  optimizer.dispose();
  return ms;
}

const echo = fork(fileURLToPath(new URL('./echo-server.ts', import.meta.url)));
const [port] = await once(echo, 'message');
const raw = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
await once(raw, 'open');

const times: Record<string, number[]> = {};
async function timed(name: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  times[name] ??= [];
  times[name].push(performance.now() - start);
}

const values = new Float32Array(megabytes * 262_144).fill(1);
const bytes = Buffer.from(values.buffer);
const small = Buffer.alloc(100);
const scalar = tf.scalar(1);
const memory = () => process.memoryUsage().rss / 2 ** 20;
let uploadMemory = 0;

for (let round = 0; round < rounds; round += 1) {
  await timed('raw upload', async () => {
    const step = 256 * 1024;
    for (let at = 0; at < bytes.length; at += step) raw.send(bytes.subarray(at, at + step));
    raw.send('0');
    await once(raw, 'message');
  });
  const before = memory();
  let tensor = tf.scalar(0) as tf.Tensor;
  await timed('upload', async () => {
    tensor.dispose();
    tensor = tf.tensor1d(values);
    await tensor.slice([0], [1]).data();
  });
  uploadMemory = Math.max(uploadMemory, memory() - before);
  await timed('raw download', async () => {
    raw.send(String(bytes.length));
    for (let taken = 0; taken < bytes.length; ) {
      const [message] = await once(raw, 'message');
      taken += message.length;
    }
  });
  await timed('download', () => tensor.data());
  tensor.dispose();
  await timed('raw trips', async () => {
    for (let trip = 0; trip < trips; trip += 1) {
      raw.send(small);
      await once(raw, 'message');
    }
  });
  await timed('trips, data', async () => {
    for (let trip = 0; trip < trips; trip += 1) await scalar.data();
  });
  await timed('trips, dataSync', async () => {
    for (let trip = 0; trip < trips; trip += 1) scalar.dataSync();
  });
  const start = performance.now();
  for (let index = 0; index < kernels; index += 1) scalar.add(scalar).dispose();
  times.enqueued ??= [];
  times.enqueued.push(performance.now() - start);
  await scalar.data();
  times.executed ??= [];
  times.executed.push(performance.now() - start);
}

const stepMs = { loopback: await trainingStepMs(), roundTripOf100Ms: Number.NaN };
scalar.dispose();
session.close();
const program = fileURLToPath(new URL('./slow-line.ts', import.meta.url));
const slow = fork(program, [new URL(url).port, '50']);
const [slowPort] = await once(slow, 'message');
const paired = new PairedWorkers(clientFolders({ ...process.env, TELETRAIN_HOME: home.path }));
const known = await paired.named('bench');
if (!known) throw new Error('the worker was paired above');
const moved = { ...known, url: `ws://127.0.0.1:${slowPort}/`, ownName: 'bench' };
await paired.add({ ...moved, wishedName: undefined, now: Date.now() });
session = await connect('bench', { home: home.path });
await tf.setBackend('remote');
stepMs.roundTripOf100Ms = await trainingStepMs();

const median = (name: string): number =>
  times[name]?.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
const rounded = (value: number): number => Number(value.toPrecision(3));
const rate = (name: string): number => rounded((megabytes / median(name)) * 1_000);
console.log(
  JSON.stringify(
    {
      uploadMegabytesPerSecond: { raw: rate('raw upload'), remote: rate('upload') },
      downloadMegabytesPerSecond: { raw: rate('raw download'), remote: rate('download') },
      uploadMemoryTimesTensor: rounded(uploadMemory / megabytes),
      roundTripMs: {
        raw: rounded(median('raw trips') / trips),
        data: rounded(median('trips, data') / trips),
        dataSync: rounded(median('trips, dataSync') / trips),
      },
      kernelsPerSecond: {
        enqueued: rounded((kernels / median('enqueued')) * 1_000),
        executed: rounded((kernels / median('executed')) * 1_000),
      },
      trainingStepMs: {
        loopback: rounded(stepMs.loopback),
        roundTripOf100Ms: rounded(stepMs.roundTripOf100Ms),
      },
    },
    null,
    2,
  ),
);
session.close();
slow.disconnect();
raw.close();
echo.disconnect();
