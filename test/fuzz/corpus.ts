import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { EventBody, RunEvent, RunStatus } from '../../shared/events.ts';
import {
  type FrameKind,
  frameKinds,
  type MethodName,
  type ParamsOf,
} from '../../shared/messages.ts';
import { describeRecipes } from '../../shared/recipe-list.ts';
import { completeSettings } from '../../shared/recipes.ts';
import type { Manifest, RunRecord, RunSummary } from '../../shared/run.ts';
import type { Command, Result } from '../../shared/tensors/commands.ts';

/** Valid messages of every kind from both ends, from which hostile ones are made. */

export interface Message {
  readonly kind: FrameKind;
  readonly header: unknown;
  readonly payload?: Payload;
}

/** Plain bytes, or a batch of tensors. */
export type Payload = Uint8Array | { readonly list: readonly unknown[]; readonly raw: Uint8Array };

export const token = 'T'.repeat(43);
export const observerToken = Buffer.alloc(32, 0x4f).toString('base64url');
export const runId = 'digits-run-1';
export const uploadedRun = 'digits-run-2';
export const session = 'a-tensor-session';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const fileContent = Buffer.from('{"step":10}');

export const record: RunRecord = {
  format: 1,
  id: runId,
  recipe: 'digits-pixel-rnn',
  settings: completeSettings('digits-pixel-rnn', { epochs: 1 }),
  quick: false,
  createdAt: 1_795_395_600_000,
  version: '0.1.0',
};

export const manifest: Manifest = {
  format: 1,
  run: runId,
  id: 'step-000000010',
  step: 10,
  epoch: 1,
  createdAt: 1_795_395_600_000,
  validationLoss: 90.5,
  files: [{ name: 'state.json', bytes: fileContent.length, sha256: sha256(fileContent) }],
};

export const imported = {
  record: { ...record, id: uploadedRun },
  nextSeq: 20,
  lives: [{ id: 'a-life', firstSeq: 1 }],
  checkpoint: { ...manifest, run: uploadedRun },
  changed: { epochs: 3 },
};

const summary: RunSummary = {
  record,
  state: 'running',
  step: 10,
  epoch: 1,
  lastSeq: 12,
  firstSeq: 1,
  lives: [{ id: 'a-life', firstSeq: 1 }],
};

export const report: EngineReport = {
  kind: 'wasm',
  device: 'cpu',
  tfjsVersion: '4.22.0',
  nodeVersion: '24.0.0',
  threads: 1,
  cpu: 'a processor',
  cpuFeatures: ['avx2'],
  candidates: [{ name: 'wasm', chosen: true, reason: 'it was asked for' }],
};

const pictures = {
  ...{ step: 10, epoch: 1, name: 'completions', count: 2, height: 4, width: 4, columns: 2 },
  ...{ givenRows: 2, pixels: deflateSync(new Uint8Array(32)) },
};

export const eventBodies: readonly EventBody[] = [
  { type: 'state', state: 'running', reason: 'start', message: 'It runs.' },
  {
    ...{ type: 'engine', report, parameters: 100, stepsPerEpoch: 10 },
    dataset: { name: 'mnist-10k', sources: [{ file: 'mnist', sha256: 'a'.repeat(64) }] },
    differs: ['threads'],
  },
  {
    ...{ type: 'metric', step: 10, epoch: 1, split: 'train', per: 'step', name: 'loss' },
    value: 90.5,
  },
  { type: 'epoch', step: 10, epoch: 1, seconds: 1.5, examplesPerSecond: 200, liveTensors: 50 },
  { type: 'sample', ...pictures },
  { type: 'log', level: 'warning', message: 'Something is slow.' },
  {
    ...{ type: 'checkpoint', id: 'step-000000010', step: 10, epoch: 1, reason: 'epoch' },
    ...{ best: true, bytes: 1000, manifestSha256: 'b'.repeat(64) },
  },
  { type: 'checkpoint-removed', id: 'step-000000010' },
  { type: 'rewind', toStep: 5 },
  { type: 'change', epochs: 5, patience: 2, asked: 'pause' },
];

export const events: readonly RunEvent[] = eventBodies.map((body, place) => ({
  ...body,
  ...{ run: runId, seq: place + 1, time: 1_795_395_600_000 },
  ...(place === 0 && { life: 'a-life' }),
}));

const status: RunStatus = {
  ...{ run: runId, state: 'running', phase: 'training', step: 10, epoch: 1, epochs: 3 },
  ...{ stepsPerEpoch: 10, examplesPerSecond: 100, phaseProgress: 0.5, remainingMs: 1000 },
  gauges: {
    ...{ liveTensors: 50, engineMemoryBytes: 1e8, systemMemoryBytes: 1e10 },
    ...{ systemMemoryUsedBytes: 1e9, cpu: 0.5 },
    gpu: { utilisation: 0.5, memoryUsedBytes: 1e9, memoryBytes: 1e10 },
  },
};

const file = { run: runId, checkpoint: 'step-000000010', file: 'state.json' };

/** A new method is fuzzed from the day it is there: without an entry this does not compile. */
export const params: { readonly [Method in MethodName]: ParamsOf<Method> } = {
  'worker.info': {},
  'worker.stop': {},
  'recipe.list': {},
  'run.list': {},
  'run.start': { record },
  'run.pause': { run: runId },
  'run.resume': { run: runId },
  'run.stop': { run: runId, when: 'now' },
  'run.change': { run: runId, epochs: 5, patience: 2 },
  'run.import': imported,
  'run.follow': { run: runId, fromSeq: 1, drawings: true },
  'run.unfollow': { run: runId },
  'checkpoint.list': { run: runId },
  'file.read': { ...file, offset: 0, length: 100 },
  'file.write': { ...file, run: uploadedRun, offset: 0 },
  'checkpoint.commit': { run: uploadedRun, checkpoint: 'step-000000010' },
  'observer.invite': { name: 'a guest' },
  'observer.list': {},
  'observer.revoke': { id: '0123456789ab' },
  'control.take': { from: 'somebody' },
  'tensor.open': { session, resume: false, got: 0 },
  'tensor.close': { session },
};

const results: { readonly [Method in MethodName]: unknown } = {
  'worker.info': {
    ...{ name: 'a worker', version: '0.1.0', pid: 1, home: '/home', engine: report },
    ...{ activeRun: runId, uptimeMs: 1, freeDiskBytes: 1e9 },
  },
  'worker.stop': {},
  'recipe.list': { recipes: describeRecipes() },
  'run.list': { runs: [summary] },
  'run.start': { run: runId },
  'run.pause': {},
  'run.resume': {},
  'run.stop': {},
  'run.change': {},
  'run.import': {},
  'run.follow': { summary },
  'run.unfollow': {},
  'checkpoint.list': { checkpoints: [manifest] },
  'file.read': { size: fileContent.length },
  'file.write': { received: 11 },
  'checkpoint.commit': {},
  'observer.invite': { code: 'K7QM-2XPD', expiresAt: 1_795_395_600_000 },
  'observer.list': {
    observers: [
      { id: '0123456789ab', name: 'a guest', client: 'tablet', pairedAt: 1, connections: 1 },
    ],
  },
  'observer.revoke': {},
  'control.take': {},
  'tensor.open': { engine: report, kernels: ['Add'], received: 0, bytes: 1e6, handles: 100 },
  'tensor.close': {},
};

export const methodNames = Object.keys(params) as readonly MethodName[];

export const commands: readonly Command[] = [
  ['upload', 1, 'float32', [2, 2], 16, 0],
  ['upload', 2, 'int32', [4], 16, -1],
  ['part', 2, 0, 16, 16],
  ['upload', 3, 'string', [2], 10, 32],
  ['run', 'BatchMatMul', [1, 1], [false, true], [4]],
  ['run', 'Concat', [1, 4], [0], [5]],
  ['read', 1, 5],
  ['describe', 2, [1, 5]],
  ['dispose', [1, 5]],
  ['upload', 6, 'bytes', [20], 20, 32],
  ['createRecipeModel', 3, 1, 'digits-pixel-cnn-report', { seed: 1 }],
  ['createLayersModel', 4, 2, 6, null],
  ['forwardBackward', 5, 2, 1, 1, 'meanSquaredError'],
  ['optimStep', 6, 2, { learningRate: 0.1 }],
  ['evaluate', 7, 2, 1, null, null],
  ['evaluate', 7, 2, [1, 1], { a: 1, b: 1 }, { a: 'meanSquaredError', b: 'meanAbsoluteError' }],
  ['predict', 7, 2, { a: 1, b: 1 }, [7, 8]],
  ['sample', 8, 1, null, { count: 1, temperature: 0.5 }],
  ['saveState', 9, 2],
  ['loadState', 10, 2, 6],
  ['disposeModel', 2],
];
const commandsRaw = Buffer.concat([
  Buffer.from(Float32Array.of(1, 2, 3, 4).buffer),
  Buffer.from(Int32Array.of(0, 1, 2, 3).buffer),
  Buffer.from('0100000061010000006200000000000000000000', 'hex'),
]);

const tensorResults: readonly Result[] = [
  ['data', 1, 'float32', [2, 2], 16, 0, 0, 16],
  ['data', 2, 'int32', [4], 16, 0, 16, 8],
  ['data', 2, 'int32', [4], 16, 8, 32, 8],
  [
    'described',
    3,
    [
      ['float32', [2, 2]],
      ['int32', [4]],
    ],
  ],
  ['values', 5, { loss: 0.5, accuracy: 0.9 }],
  ['failed', 4, { code: 'kernel-failed', message: 'It failed.', hint: 'Look.', call: 3 }],
];

export const hello = (auth: { token: string } | { code: string }): Message => ({
  kind: 'hello',
  header: {
    protocol: { min: 1, max: 1 },
    client: { id: 'a-client-of-fuzzing', name: 'fuzzing', version: '0.1.0' },
    auth,
  },
});

export const request = (method: MethodName, id: string): Message => ({
  kind: 'request',
  header: { id, method, params: params[method] },
  ...(method === 'file.write' && { payload: fileContent }),
});

const error = { code: 'unknown-run', message: 'There is no such run.', hint: 'See the list.' };
const both: readonly Message[] = [
  { kind: 'ping', header: { time: 1_795_395_600_000 } },
  { kind: 'pong', header: { time: 1_795_395_600_000 } },
  { kind: 'bye', header: { reason: { ...error, code: 'worker-stopping' } } },
];

export const fromClient: readonly Message[] = [
  hello({ token }),
  hello({ token: observerToken }),
  hello({ code: 'K7QM-2XPD' }),
  ...methodNames.map((method, place) => request(method, `request-${place}`)),
  { kind: 'cancel', header: { id: 'request-3' } },
  {
    kind: 'commands',
    header: { session, number: 1, got: 0 },
    payload: { list: commands, raw: commandsRaw },
  },
  ...both,
];

/** Requests are numbered as the client's machine does, from 1: `fuzz-1` is of the first method. */
export const fromWorker: readonly Message[] = [
  {
    kind: 'welcome',
    header: {
      protocol: 1,
      worker: { id: 'w', name: 'a worker', version: '0.1.0', epoch: 'e', startedAt: 1 },
      capabilities: ['tensors'],
      limits: { frameBytes: 4_194_304 },
      role: 'control',
      token,
    },
  },
  ...methodNames.map(
    (method, place): Message => ({
      kind: 'response',
      header: { id: `fuzz-${(place + 1).toString(36)}`, result: results[method] },
      ...(method === 'file.read' && { payload: fileContent }),
    }),
  ),
  { kind: 'error', header: { id: 'fuzz-1', error } },
  { kind: 'error', header: { error } },
  ...events.map((event): Message => ({ kind: 'event', header: { event } })),
  { kind: 'status', header: { status } },
  {
    kind: 'control',
    header: { control: { yours: false, holder: { id: 'h', name: 'another', connected: true } } },
  },
  { kind: 'drawing', header: { drawing: { run: runId, ...pictures, rows: 3 } } },
  {
    kind: 'results',
    header: { session, number: 1, got: 1 },
    payload: { list: tensorResults, raw: Buffer.alloc(48) },
  },
  { kind: 'results', header: { session, number: 0, got: 1, ended: error } },
  ...both,
];

export const kindNumber = (kind: FrameKind): number => frameKinds[kind];
