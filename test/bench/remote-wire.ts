/**
 * The wire of the backend `remote` beside a bare WebSocket, by turns in one run, over loopback:
 *
 *     node test/bench/remote-wire.ts
 *
 * Starts a worker and an echo server of its own. Prints a table, or with `--json` the same as JSON:
 * medians over the rounds, and ratios taken round by round. A raw WebSocket masks what it sends, as ws
 * does by default; beside it one whose masking key is 0, as the client's is on loopback.
 *
 * A round trip of some 20 µs depends more on where the system puts the two programs than on what they
 * do: on one core or on two, one of which sleeps until it is called. So trips are also taken with both
 * pairs held on one core, and on two (`taskset`, where there is one).
 */
import { execFileSync, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { WebSocket } from 'ws';
import { connect } from '../../client/remote/connect.ts';
import { createClient } from '../../client/session/client.ts';
import { clientFolders } from '../../client/session/folders.ts';
import { WorkerLink } from '../../client/session/worker-link.ts';
import { type PairedWorker, PairedWorkers } from '../../client/session/workers.ts';
import { workerFolders } from '../../worker/folders.ts';
import { pingedUpload } from '../integration/support/pinged-upload.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';
import { growths } from './peak-memory.ts';

const rounds = 7;
const megabytes = 64;
const kernels = 20_000;
const trips = 300;
/** Code of both ends is compiled by then, as it is in a program that runs for a second. */
const warmUpTrips = 5_000;
const steps = 1_000;
const warmUpSteps = 400;
const stepRounds = 3;
/** Before any of this is held on one of them. */
const cores = availableParallelism();

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
const paired = new PairedWorkers(clientFolders({ ...process.env, TELETRAIN_HOME: home.path }));
const known = await pairedAbove();
const auth = { token: known.token };
const session = await connect('bench', { home: home.path });
await tf.setBackend('remote');

/** Steps of a small dense model, none of whose values is read. @returns ms a step, the last one done. */
async function trainingStepMs(): Promise<number> {
  const x = tf.ones([32, 16]);
  const y = tf.ones([32, 1]);
  const hidden = tf.variable(tf.fill([16, 32], 0.1));
  const output = tf.variable(tf.fill([32, 1], 0.1));
  const optimizer = tf.train.sgd(0.001);
  const step = () =>
    optimizer.minimize(
      () => tf.losses.meanSquaredError(y, x.matMul(hidden).tanh().matMul(output)) as tf.Scalar,
    );
  for (let index = 0; index < warmUpSteps; index += 1) step();
  await output.data();
  const start = performance.now();
  for (let index = 0; index < steps; index += 1) step();
  await output.data();
  const ms = (performance.now() - start) / steps;
  tf.dispose([x, y, hidden, output]);
  optimizer.dispose();
  return ms;
}

async function pairedAbove(): Promise<PairedWorker> {
  const worker = await paired.named('bench');
  if (!worker) throw new Error('the worker was paired above');
  return worker;
}

/** In a session of its own, whose engine has compiled nothing yet, like the other's. */
async function stepsOn(line: string): Promise<number> {
  await paired.add({
    ...{ ...known, url: line, ownName: 'bench' },
    ...{ wishedName: undefined, now: Date.now() },
  });
  const session = await connect('bench', { home: home.path });
  await tf.setBackend('remote');
  const ms = await trainingStepMs();
  session.close();
  return ms;
}

const echo = fork(fileURLToPath(new URL('./echo-server.ts', import.meta.url)));
const [port] = await once(echo, 'message');
const rawSocket = async (options: object): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false, ...options });
  await once(socket, 'open');
  return socket;
};
const raw = await rawSocket({});
const unmasked = await rawSocket({ generateMask: (key: Buffer) => key.fill(0) });
const link = new WorkerLink({
  client: { id: randomUUID(), name: 'bench', version: '0.0.0' },
  endpoint: async () => ({ url, auth }),
});
await link.connected({ patienceMs: 20_000 });

const times = new Map<string, number[]>();
async function timed(name: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  note(name, performance.now() - start);
}

function note(name: string, value: number): void {
  times.set(name, [...(times.get(name) ?? []), value]);
}

/** Trips one after the other; their median, in ms. */
async function tripsTimed(name: string, trip: () => Promise<unknown>): Promise<void> {
  const each: number[] = [];
  for (let index = 0; index < trips; index += 1) {
    const start = performance.now();
    await trip();
    each.push(performance.now() - start);
  }
  note(name, quantile(each, 0.5));
}

const rawTrip = async (): Promise<void> => {
  raw.send(small);
  await once(raw, 'message');
};
const request = () => link.request('run.unfollow', { run: 'none' });

/** Held on these cores, this program and the two that answer; undefined: on any. */
async function bothTrips(
  where: string,
  [ours, theirs]: readonly [string | undefined, string | undefined],
): Promise<void> {
  if (Number(theirs ?? 0) >= cores) return;
  try {
    hold(process.pid, ours);
    hold(echo.pid, theirs);
    hold(worker.child.pid, theirs);
  } catch {
    // No `taskset` here.
    if (theirs !== undefined) return;
  }
  await tripsTimed(`raw trip${where}`, rawTrip);
  await tripsTimed(`request${where}`, request);
  if (theirs !== undefined) for (const { pid } of [process, echo, worker.child]) hold(pid);
}

function hold(program: number | undefined, places = `0-${cores - 1}`): void {
  execFileSync('taskset', ['-acp', places, String(program)], { stdio: 'ignore' });
}

const values = new Float32Array(megabytes * 262_144).fill(1);
const bytes = Buffer.from(values.buffer);
const small = Buffer.alloc(100);
const scalar = tf.scalar(1);
let tensor = tf.scalar(0) as tf.Tensor;

async function rawUpload(socket: WebSocket): Promise<void> {
  const step = 256 * 1024;
  for (let at = 0; at < bytes.length; at += step) socket.send(bytes.subarray(at, at + step));
  socket.send('0');
  await once(socket, 'message');
}

async function upload(): Promise<void> {
  tensor.dispose();
  tensor = tf.tensor1d(values);
  await tensor.slice([0], [1]).data();
}

/** The processes of the worker's that hold tensors. */
const engines = (): number[] =>
  execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, parent, ...args]) =>
        Number(parent) === worker.child.pid && args.join(' ').includes('tensors'),
    )
    .map(([pid]) => Number(pid));
const ends = {
  client: process.pid,
  gateway: worker.child.pid ?? 0,
  process: engines()[0] ?? 0,
};
// First of all: what a process was given once, it keeps.
const memory = {
  upload: await growths(ends, upload),
  download: await growths(ends, () => tensor.data()),
};

for (let index = 0; index < warmUpTrips; index += 1) {
  await rawTrip();
  await request();
}
for (let round = 0; round < rounds; round += 1) {
  await timed('raw upload', () => rawUpload(raw));
  await timed('upload', upload);
  await timed('raw upload, key 0', () => rawUpload(unmasked));
  await timed('raw download', async () => {
    raw.send(String(bytes.length));
    for (let taken = 0; taken < bytes.length; ) {
      const [message] = await once(raw, 'message');
      taken += message.length;
    }
  });
  await timed('download', () => tensor.data());
  tensor.dispose();
  tensor = tf.scalar(0);
  await bothTrips('', [undefined, undefined]);
  await bothTrips(', one core', ['0', '0']);
  await bothTrips(', two cores', ['0', '1']);
  await tripsTimed('data', () => scalar.data());
  await tripsTimed('dataSync', async () => scalar.dataSync());
  const start = performance.now();
  for (let index = 0; index < kernels; index += 1) scalar.add(scalar).dispose();
  note('enqueued', performance.now() - start);
  await scalar.data();
  note('executed', performance.now() - start);
}

scalar.dispose();
session.close();

const pinger = fork(fileURLToPath(new URL('./pinger.ts', import.meta.url)), [url, known.token]);
await once(pinger, 'message');
pinger.send('start');
const under = await pingedUpload(url, auth, 256);
pinger.send('stop');
const [others] = (await once(pinger, 'message')) as [number[]];

const program = fileURLToPath(new URL('./slow-line.ts', import.meta.url));
const slow = fork(program, [new URL(url).port, '50']);
const [slowPort] = await once(slow, 'message');
for (let round = 0; round < stepRounds; round += 1) {
  note('step on loopback', await stepsOn(url));
  note('step at 100 ms', await stepsOn(`ws://127.0.0.1:${slowPort}/`));
}

function quantile(all: readonly number[], part: number): number {
  return all.toSorted((a, b) => a - b)[Math.floor((all.length - 1) * part)] ?? Number.NaN;
}
const rounded = (value: number): number => Number(value.toPrecision(3));
const median = (name: string): number => rounded(quantile(times.get(name) ?? [], 0.5));
const rate = (name: string): number => rounded((megabytes / median(name)) * 1_000);
/** How many times as long one takes as the other, round by round. */
const ratio = (name: string, other: string): number =>
  rounded(
    quantile(
      (times.get(name) ?? []).map((ms, round) => ms / (times.get(other)?.[round] ?? Number.NaN)),
      0.5,
    ),
  );
const timesTensor = (all: Record<string, number>) =>
  Object.fromEntries(
    Object.entries(all).map(([end, grown]) => [end, rounded(grown / bytes.length)]),
  );
const tripsOn = (where: string) => ({
  raw: median(`raw trip${where}`),
  request: median(`request${where}`),
  timesRaw: ratio(`request${where}`, `raw trip${where}`),
});
const figures = {
  uploadMegabytesPerSecond: {
    raw: rate('raw upload'),
    rawKeyOf0: rate('raw upload, key 0'),
    remote: rate('upload'),
    ofRaw: rounded(1 / ratio('upload', 'raw upload')),
  },
  downloadMegabytesPerSecond: {
    raw: rate('raw download'),
    remote: rate('download'),
    ofRaw: rounded(1 / ratio('download', 'raw download')),
  },
  memoryTimesTensor: { upload: timesTensor(memory.upload), download: timesTensor(memory.download) },
  roundTripMs: {
    raw: median('raw trip'),
    request: median('request'),
    timesRaw: ratio('request', 'raw trip'),
    data: median('data'),
    dataSync: median('dataSync'),
  },
  roundTripOnOneCoreMs: tripsOn(', one core'),
  roundTripOnTwoCoresMs: tripsOn(', two cores'),
  kernelsPerSecond: {
    enqueued: rounded((kernels / median('enqueued')) * 1_000),
    executed: rounded((kernels / median('executed')) * 1_000),
  },
  trainingStepMs: {
    loopback: median('step on loopback'),
    roundTripOf100Ms: median('step at 100 ms'),
    shareOfTheOneRead: rounded(100 / steps),
  },
  whileUploading256MegabytesMs: {
    upload: rounded(under.ms),
    pingP50: rounded(quantile(under.pings, 0.5)),
    pingP99: rounded(quantile(under.pings, 0.99)),
    requestP99: rounded(quantile(under.requests, 0.99)),
    secondConnectionPingP99: rounded(quantile(others, 0.99)),
  },
};
if (process.argv.includes('--json')) console.log(JSON.stringify(figures, null, 2));
else {
  for (const [row, cells] of Object.entries(figures)) {
    const texts = Object.entries(cells).map(([name, value]) =>
      typeof value === 'number'
        ? `${name} ${value}`
        : `${name}: ${Object.entries(value)
            .map((pair) => pair.join(' '))
            .join(', ')}`,
    );
    console.log(`${row.padEnd(30)}${texts.join(' · ')}`);
  }
}
link.close();
slow.disconnect();
pinger.disconnect();
raw.close();
unmasked.close();
echo.disconnect();
