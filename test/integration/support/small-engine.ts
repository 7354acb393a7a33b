import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { deflateSync } from 'node:zlib';
import type { EventBody } from '../../../shared/events.ts';
import type { Manifest } from '../../../shared/run.ts';
import type { StartCommand } from '../../../worker/channel.ts';
import { openGatewayLink } from '../../../worker/engine/gateway-link.ts';

/**
 * A real engine process that computes next to nothing: it speaks worker/channel.ts, counts steps,
 * leaves checkpoints that hold its count and goes on from them. So the gateway is tested with a
 * child process that can be killed, and without TensorFlow.
 *
 * SMALL_ENGINE_STEP_MS      time of a step (default 5)
 * SMALL_ENGINE_AT_ONCE      steps that take the time of one, together (default 1)
 * SMALL_ENGINE_EPOCH_STEPS  steps of an epoch (default 10)
 * SMALL_ENGINE_BUSY=1       a step computes on every core, without ever yielding, instead of waiting
 * SMALL_ENGINE_SAMPLE_BYTES  each step also gives a sample of this size (default 0: none)
 * SMALL_ENGINE_DRAWINGS=1   before each step it shows a sample that is being drawn, and never gives it
 * SMALL_ENGINE_FILE_BYTES   size of a checkpoint's weights (default 1000)
 * SMALL_ENGINE_LSTM         what it says that it computes an LSTM by (default: says nothing)
 * SMALL_ENGINE_UNUSABLE=1   it says that it cannot work here
 * SMALL_ENGINE_STILLBORN=1  it ends with code 7 before it is ready
 * SMALL_ENGINE_DEAD_FILE    while this file exists it ends with code 9 as soon as it is to train
 */
const stepMs = Number(process.env.SMALL_ENGINE_STEP_MS ?? 5);
const isBusy = process.env.SMALL_ENGINE_BUSY === '1';
const fileBytes = Number(process.env.SMALL_ENGINE_FILE_BYTES ?? 1000);
const sampleBytes = Number(process.env.SMALL_ENGINE_SAMPLE_BYTES ?? 0);
const lstmBy = process.env.SMALL_ENGINE_LSTM;
const showsDrawings = process.env.SMALL_ENGINE_DRAWINGS === '1';
const stepsAtOnce = Number(process.env.SMALL_ENGINE_AT_ONCE ?? 1);
const stepsPerEpoch = Number(process.env.SMALL_ENGINE_EPOCH_STEPS ?? 10);

if (isBusy) {
  // As TensorFlow's threads do.
  for (let core = 1; core < availableParallelism(); core += 1) {
    new Worker('for (;;) Math.tanh(Math.random());', { eval: true });
  }
}

let active:
  | {
      command: StartCommand;
      paused: boolean;
      stop?: 'now' | 'epoch';
      epochs: number;
      patience: number;
    }
  | undefined;
let isEnding = false;
let pinned: readonly string[] = [];

process.on('SIGINT', () => {});
const link = openGatewayLink((message) => {
  switch (message.type) {
    case 'start':
      void train(message);
      break;
    case 'pause':
      if (active) active.paused = true;
      break;
    case 'continue':
      if (active) active.paused = false;
      break;
    case 'stop':
      if (active) active.stop = message.when;
      break;
    case 'change':
      if (active) active.epochs = message.epochs ?? active.epochs;
      break;
    case 'pin':
      pinned = message.checkpoints;
      break;
    case 'shutdown':
      isEnding = true;
      if (!active) process.exit(0);
  }
});

if (process.env.SMALL_ENGINE_STILLBORN === '1') {
  process.stderr.write('a library is missing\n');
  process.exit(7);
}
if (process.env.SMALL_ENGINE_UNUSABLE === '1') {
  link.send({
    type: 'unusable',
    error: { code: 'no-gpu', message: 'There is no GPU here.', hint: 'Choose a GPU machine.' },
  });
  setTimeout(() => process.exit(1), 20);
} else {
  link.send({
    type: 'ready',
    report: {
      kind: 'wasm',
      device: 'cpu',
      tfjsVersion: '0',
      nodeVersion: process.version,
      threads: 1,
      cpu: 'none',
      cpuFeatures: [],
      candidates: [],
      ...(lstmBy && { layers: [{ layer: 'LSTM', used: lstmBy, implementations: [] }] }),
    },
  });
}

async function train(command: StartCommand): Promise<void> {
  if (process.env.SMALL_ENGINE_DEAD_FILE && existsSync(process.env.SMALL_ENGINE_DEAD_FILE)) {
    process.stderr.write('out of memory, says the small engine\n');
    process.exit(9);
  }
  const run = command.record.id;
  const tell = (event: EventBody) => link.send({ type: 'event', run, event });
  const epochs = command.changed?.epochs ?? Number(command.record.settings.epochs);
  active = { command, paused: false, epochs, patience: 0 };
  let step = command.resume ? await lastCheckpoint(command.directory) : 0;
  if (step < command.lastStep) tell({ type: 'rewind', toStep: step });
  tell({ type: 'state', state: 'running' });
  tell({ type: 'log', level: 'info', message: `engine process ${process.pid}` });
  let wasPaused = false;
  while (step < active.epochs * stepsPerEpoch) {
    if (active.paused && !active.stop && !isEnding) {
      if (!wasPaused) tell({ type: 'state', state: 'paused' });
      wasPaused = true;
      await sleep(2);
      continue;
    }
    if (wasPaused) tell({ type: 'state', state: 'running' });
    wasPaused = false;
    if (step % stepsAtOnce === 0) {
      if (isBusy) compute(stepMs);
      await (isBusy ? new Promise(setImmediate) : sleep(stepMs));
      await link.room();
    }
    step += 1;
    const epoch = Math.ceil(step / stepsPerEpoch);
    if (showsDrawings) link.send({ type: 'drawing', drawing: drawingOf(run, step, epoch) });
    tell({
      type: 'metric',
      step,
      epoch,
      split: 'train',
      per: 'step',
      name: 'loss',
      value: 1 / step,
    });
    if (sampleBytes > 0) {
      const pixels = new Uint8Array(randomBytes(sampleBytes));
      tell({
        type: 'sample',
        step,
        epoch,
        name: 'noise',
        count: 1,
        height: 1,
        width: 1,
        columns: 1,
        givenRows: 0,
        pixels,
      });
    }
    if (step % stepsAtOnce === 0) {
      link.send({ type: 'status', status: statusOf(run, step, epoch) });
    }
    if (step % stepsPerEpoch === 0) {
      tell({ type: 'epoch', step, epoch, seconds: 1, examplesPerSecond: 1, liveTensors: 0 });
      tell(await checkpoint(command, step, 'epoch'));
      if (active.stop === 'epoch') return ends('stopped', 'stop-epoch');
    }
    if (active.stop === 'now' || isEnding) {
      tell(await checkpoint(command, step, 'stop'));
      if (isEnding) return process.exit(0);
      return ends('stopped', 'stop-now');
    }
  }
  ends('done', 'epochs');

  function ends(state: 'done' | 'stopped', reason: string): void {
    tell({ type: 'state', state, reason });
    active = undefined;
  }
}

function compute(ms: number): number {
  const until = performance.now() + ms;
  let value = 1;
  while (performance.now() < until) value = Math.tanh(value + 1);
  return value;
}

async function checkpoint(
  command: StartCommand,
  step: number,
  reason: 'epoch' | 'stop',
): Promise<EventBody> {
  const id = `step-${String(step).padStart(9, '0')}`;
  const folder = join(command.directory, 'checkpoints', id);
  const beside = `${folder}.part`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  // Every byte tells its place, so that a transfer that mixed two of them up would be seen.
  const weights = Buffer.alloc(fileBytes);
  for (let at = 0; at + 4 <= fileBytes; at += 4) weights.writeUInt32LE((at + step) >>> 0, at);
  const files = {
    'state.json': Buffer.from(JSON.stringify({ step })),
    'model.safetensors': weights,
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(beside, name), bytes);
  const manifest: Manifest = {
    format: 1,
    run: command.record.id,
    id,
    step,
    epoch: Math.ceil(step / stepsPerEpoch),
    createdAt: Date.now(),
    files: Object.entries(files).map(([name, bytes]) => ({
      name,
      bytes: bytes.length,
      sha256: sha256(bytes),
    })),
  };
  await link.kept();
  const text = JSON.stringify(manifest);
  await writeFile(join(beside, 'manifest.json'), text);
  await rm(folder, { recursive: true, force: true });
  await rename(beside, folder);
  return {
    type: 'checkpoint',
    id,
    step,
    epoch: manifest.epoch,
    reason,
    best: pinned.length === 0,
    bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
    manifestSha256: sha256(Buffer.from(text)),
  };
}

async function lastCheckpoint(directory: string): Promise<number> {
  const names = await readdir(join(directory, 'checkpoints')).catch(() => []);
  const last = names
    .filter((name) => /^step-\d{9}$/.test(name))
    .sort()
    .at(-1);
  if (!last) return 0;
  const text = await readFile(join(directory, 'checkpoints', last, 'state.json'), 'utf8');
  return Number(JSON.parse(text).step);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** One picture of two pixels, the upper one given. */
function drawingOf(run: string, step: number, epoch: number) {
  const size = { count: 1, height: 2, width: 1, columns: 1, givenRows: 1 };
  const pixels = deflateSync(Uint8Array.of(255, 0));
  return { run, step, epoch, name: 'half', ...size, rows: 1, pixels };
}

function statusOf(run: string, step: number, epoch: number) {
  const gauges = {
    liveTensors: 0,
    engineMemoryBytes: 0,
    systemMemoryBytes: 1,
    systemMemoryUsedBytes: 0,
    cpu: 0,
  };
  return {
    run,
    state: 'running' as const,
    phase: 'training',
    step,
    epoch,
    epochs: 1,
    stepsPerEpoch,
    examplesPerSecond: 1,
    gauges,
  };
}
