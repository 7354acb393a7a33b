import { deflateSync } from 'node:zlib';
import type { EngineReport } from '../../shared/engine-report.ts';
import type { EventBody } from '../../shared/events.ts';
import { limits } from '../../shared/limits.ts';
import type { FrameKind, MethodName, ParamsOf, ResultOf } from '../../shared/messages.ts';
import type { Manifest, RunRecord, RunSummary } from '../../shared/run.ts';
import { encodeBatch } from '../../shared/tensors/batch.ts';
import type { Command, Result } from '../../shared/tensors/commands.ts';

/**
 * What the vectors are made of: a message of each kind, each method, each type of event, each
 * command and each result, with every field that it may have.
 */

const time = 1_795_395_600_000;
const run = 'digits-pixel-rnn-20261123-001522-k3f9';
const checkpoint = 'step-000000128';
const sha256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const session = 'dF3kq0Zl-8RtY_2aWcXn7g';
const failure = {
  code: 'worker-busy',
  message: 'The worker trains “digits-1” already.',
  hint: 'Stop it first, or wait until it is done.',
};

const record: RunRecord = {
  format: 1,
  id: run,
  recipe: 'digits-pixel-rnn',
  settings: {
    seed: 4_294_967_295,
    epochs: 10,
    optimizer: 'adam',
    learningRate: 0.002,
    clipNorm: 1,
  },
  quick: true,
  createdAt: time,
  version: '0.1.0',
};
const lives = [
  { id: 'Vol1y4GcM-LJ', firstSeq: 1 },
  { id: 'p0s8uTTw1xQz', firstSeq: 70_000 },
];
const summary: RunSummary = {
  ...{ record, state: 'running', step: 128, epoch: 2, lastSeq: 70_123, firstSeq: 70_000, lives },
};
const manifest: Manifest = {
  ...{ format: 1, run, id: checkpoint, step: 128, epoch: 1, createdAt: time },
  validationLoss: 103.25,
  files: [
    { name: 'model.safetensors', bytes: 10_280, sha256 },
    { name: 'state.json', bytes: 11, sha256 },
  ],
};

const engine: EngineReport = {
  kind: 'native',
  device: 'gpu',
  gpu: { name: 'Tesla T4', memoryBytes: 15_843_721_216 },
  gpuFound: { name: 'Tesla T4', memoryBytes: 15_843_721_216 },
  tensorflowVersion: '2.20.0',
  tensorflowSource: { directory: '/usr/lib/python3/dist-packages/tensorflow', origin: 'installed' },
  tfjsVersion: '4.22.0',
  nodeVersion: '24.1.0',
  threads: 2,
  cpu: 'Intel(R) Xeon(R) CPU @ 2.20GHz',
  cpuFeatures: ['avx2', 'fma'],
  candidates: [
    { name: 'native-gpu', chosen: true, reason: 'it agrees with the reference' },
    { name: 'wasm', chosen: false, reason: 'a better one was found' },
  ],
  layers: [
    {
      layer: 'LSTM',
      used: 'cudnn',
      implementations: [
        { name: 'cudnn', agrees: true, reason: 'first', difference: 2.5e-6, milliseconds: 1.25 },
        { name: 'composed', reason: 'slower' },
      ],
    },
  ],
};

const pictures = {
  ...{ step: 128, epoch: 2, name: 'completions', count: 2, height: 2, width: 2, columns: 2 },
  givenRows: 1,
  // Stored, not deflated, so that the bytes are the same whatever zlib made them.
  pixels: deflateSync(Uint8Array.of(0, 255, 17, 34, 51, 68, 85, 102), { level: 0 }),
};

/** By its name, the body of an event; `run`, `seq` and `time` are added. */
export const events: Readonly<Record<string, EventBody>> = {
  'state starting': { type: 'state', state: 'starting' },
  'state failed': {
    ...{ type: 'state', state: 'failed', reason: 'not-finite' },
    message: 'The loss is NaN since step 12.',
  },
  engine: {
    ...{ type: 'engine', report: engine, parameters: 328_353, stepsPerEpoch: 128 },
    dataset: {
      ...{ name: 'binarized-mnist', binarization: 'fixed' },
      sources: [{ file: 'binarized_mnist_train.amat.gz', sha256 }],
    },
    differs: ['threads: 2, and not 4'],
  },
  metric: {
    ...{ type: 'metric', step: 65_536, epoch: 2, split: 'train', per: 'step', name: 'loss' },
    value: 96.125,
  },
  'metric that is a whole number': {
    ...{ type: 'metric', step: 1, epoch: 1, split: 'validation', per: 'epoch', name: 'loss' },
    value: 100,
  },
  'metric that is negative': {
    ...{ type: 'metric', step: 1, epoch: 1, split: 'test', per: 'epoch', name: 'gap', value: -200 },
  },
  'metric that is not a number': {
    ...{ type: 'metric', step: 2, epoch: 1, split: 'train', per: 'step', name: 'loss' },
    value: Number.NaN,
  },
  'metric that is infinite': {
    ...{ type: 'metric', step: 3, epoch: 1, split: 'train', per: 'step', name: 'loss' },
    value: Number.NEGATIVE_INFINITY,
  },
  epoch: {
    ...{ type: 'epoch', step: 128, epoch: 1, seconds: 61.5, examplesPerSecond: 66.6015625 },
    liveTensors: 41,
  },
  sample: { type: 'sample', ...pictures },
  log: { type: 'log', level: 'warning', message: 'Größe: 3 GiB are left on the disk.' },
  checkpoint: {
    ...{ type: 'checkpoint', id: checkpoint, step: 128, epoch: 1, reason: 'epoch', best: true },
    ...{ bytes: 34_292, manifestSha256: sha256 },
  },
  'checkpoint-removed': { type: 'checkpoint-removed', id: 'step-000000064' },
  rewind: { type: 'rewind', toStep: 64 },
  change: { type: 'change', epochs: 20, patience: 0, asked: 'pause' },
};

/** Numbered, the first of them with the name of a life, one with the key of who asked for it. */
export const numberedEvents = Object.entries(events).map(([name, body], index) => {
  const life = index === 0 ? { life: 'Vol1y4GcM-LJ' } : {};
  const asked = name === 'change' ? { request: 'Zk3mT0c1QpW9xLr7vYbN2A' } : {};
  return { name, event: { ...body, run, seq: index + 1, time: time + index, ...life, ...asked } };
});

interface Exchange<Method extends MethodName> {
  readonly params: ParamsOf<Method>;
  readonly payload?: Uint8Array;
  readonly result: ResultOf<Method>;
  readonly answer?: Uint8Array;
}

const chunk = Buffer.from('{"step":10}');
const place = { run, checkpoint, file: 'state.json' };

/** A request of every method, and what answers it. */
export const exchanges: { readonly [Method in MethodName]: Exchange<Method> } = {
  'worker.info': {
    params: {},
    result: {
      ...{ name: 'colab', version: '0.1.0', pid: 4_321, home: '/content/teletrain', engine },
      ...{ activeRun: run, uptimeMs: 86_400_000, freeDiskBytes: 60_666_544_128 },
    },
  },
  'worker.stop': { params: {}, result: {} },
  'recipe.list': {
    params: {},
    result: {
      recipes: [
        {
          ...{ name: 'imdb-lstm', title: 'Sentiment of film reviews, LSTM', task: 'sentiment' },
          description: 'Embedding, LSTM, Dense.',
          settings: {
            epochs: { default: 10, type: 'integer', exclusiveMinimum: 0, description: 'Passes' },
            learningRate: { default: 0.001, type: 'number', exclusiveMinimum: 0 },
          },
          quick: { epochs: 3 },
        },
      ],
    },
  },
  'run.list': { params: {}, result: { runs: [summary] } },
  'run.start': { params: { record }, result: { run } },
  'run.pause': { params: { run }, result: {} },
  'run.resume': { params: { run }, result: {} },
  'run.stop': { params: { run, when: 'epoch' }, result: {} },
  'run.change': { params: { run, epochs: 20, patience: 3 }, result: {} },
  'run.import': {
    params: {
      ...{ record, nextSeq: 70_124, lives, checkpoint: manifest },
      best: { ...manifest, id: 'step-000000064', step: 64 },
      changed: { epochs: 20, patience: 3 },
      replaces: { life: 'Vol1y4GcM-LJ', lastSeq: 69_999 },
    },
    result: {},
  },
  'run.follow': { params: { run, fromSeq: 70_124, drawings: true }, result: { summary } },
  'run.unfollow': { params: { run }, result: {} },
  'checkpoint.list': { params: { run }, result: { checkpoints: [manifest] } },
  'file.read': {
    params: { ...place, offset: 0, length: limits.chunkBytes },
    result: { size: 11 },
    answer: chunk,
  },
  'file.write': { params: { ...place, offset: 0 }, payload: chunk, result: { received: 11 } },
  'checkpoint.commit': { params: { run, checkpoint, manifestSha256: sha256 }, result: {} },
  'control.take': { params: { from: 'Zk3q9xT0bL1s' }, result: {} },
  'observer.invite': {
    params: { name: 'Ada' },
    result: { code: 'K7QM-2XPD', expiresAt: time + 600_000 },
  },
  'observer.list': {
    params: {},
    result: {
      observers: [
        { id: '9f86d081884c', name: 'Ada', client: 'tablet', pairedAt: time, connections: 2 },
      ],
    },
  },
  'observer.revoke': { params: { id: '9f86d081884c' }, result: {} },
  'tensor.open': {
    params: { session, resume: true, got: 3 },
    result: {
      ...{ engine, kernels: ['Abs', 'Add'], received: 7 },
      ...{ bytes: 8_589_934_592, handles: limits.tensorHandles },
    },
  },
  'tensor.close': { params: { session }, result: {} },
};

const matrix = Buffer.from(Float32Array.of(1, -2.5, 3, Number.NaN, 5, 6).buffer);
const text = Buffer.from('\u0003\0\0\0abc\0\0\0\0', 'latin1');

const adam = { optimizer: 'adam', learningRate: 0.002, clipNorm: 1 };

const commands: { readonly [Name in Command[0]]: readonly Command[] } = {
  upload: [
    ['upload', 1, 'float32', [2, 3], 24, 0],
    ['upload', 2, 'string', [2], 11, -1],
  ],
  part: [['part', 2, 0, 32, 11]],
  run: [
    ['run', '_FusedMatMul', [1, 1, null, null], [false, true, 'relu', null], [3]],
    ['run', 'Sum', [3], [[0, 1], false], [4]],
    ['run', 'Fill', [], [[2], -0, 'float32'], [5]],
  ],
  dispose: [['dispose', [1, 2]]],
  read: [['read', 1, 4]],
  describe: [['describe', 2, [3, 4]]],
  createRecipeModel: [['createRecipeModel', 3, 5, 'digits-pixel-rnn', { seed: 7, units: 16 }]],
  createLayersModel: [['createLayersModel', 4, 6, 7, null]],
  forwardBackward: [['forwardBackward', 5, 5, 8, null, null]],
  optimStep: [['optimStep', 6, 5, adam]],
  evaluate: [
    ['evaluate', 7, 6, 8, 9, 'meanSquaredError'],
    ['evaluate', 7, 6, [8, 9], { a: 9, b: 10 }, ['meanSquaredError', 'binaryCrossentropy']],
  ],
  predict: [
    ['predict', 7, 6, 8, [11]],
    ['predict', 7, 6, { text: 8, length: 9 }, [11, 12]],
  ],
  sample: [['sample', 8, 5, null, { count: 4, seed: 1, temperature: 0.5 }]],
  saveState: [['saveState', 9, 5]],
  loadState: [['loadState', 10, 5, 10]],
  disposeModel: [['disposeModel', 5]],
};

const results: { readonly [Name in Result[0]]: readonly Result[] } = {
  data: [['data', 1, 'float32', [2, 3], 24, 0, 0, 24]],
  described: [
    [
      'described',
      2,
      [
        ['float32', [2, 2]],
        ['float32', []],
      ],
    ],
  ],
  values: [['values', 5, { loss: 96.125, accuracy: Number.NaN }]],
  failed: [['failed', 0, { ...failure, code: 'unknown-tensor', call: 11 }]],
};

/** A batch of every command, with raw bytes, and one of every result. */
export const batches = {
  commands: { list: Object.values(commands).flat(), raw: [matrix, text] },
  results: { list: Object.values(results).flat(), raw: [matrix] },
};

interface FrameExample {
  readonly name: string;
  readonly kind: FrameKind;
  readonly header: object;
  readonly payload?: Uint8Array | undefined;
}

const client = { id: '9e0b2f64-3c1d-4f0e-8a55-7b6f3a1c2d4e', name: 'laptop', version: '0.1.0' };
const token = 'q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k';
const welcome = {
  protocol: 1,
  worker: { id: 'w-1', name: 'colab', version: '0.1.0', epoch: 'e-1', startedAt: time },
  capabilities: ['tensors'],
  limits: { frameBytes: limits.frameBytes, chunkBytes: limits.chunkBytes, drawingMs: 100 },
  role: 'control',
};
const gauges = {
  ...{ liveTensors: 41, engineMemoryBytes: 812_000_000, systemMemoryBytes: 13_609_431_040 },
  ...{ systemMemoryUsedBytes: 4_000_000_000, cpu: 0.75 },
  gpu: { utilisation: 0.5, memoryUsedBytes: 2_147_483_648, memoryBytes: 15_843_721_216 },
};
const status = {
  ...{ run, state: 'running', phase: 'training', step: 128, epoch: 2, epochs: 10 },
  ...{ stepsPerEpoch: 128, examplesPerSecond: 66.5, phaseProgress: 0.25, remainingMs: 512_000 },
  gauges,
};

/** Frames of every kind; requests, responses and events are added from above. */
export const frames: readonly FrameExample[] = [
  {
    name: 'hello with a token',
    kind: 'hello',
    header: { protocol: { min: 1, max: 1 }, client, auth: { token } },
  },
  {
    name: 'hello with a code',
    kind: 'hello',
    header: { protocol: { min: 1, max: 3 }, client, auth: { code: 'K7QM-2XPD' } },
  },
  {
    name: 'hello of a client that wants to know who has control',
    kind: 'hello',
    header: { protocol: { min: 1, max: 1 }, client, auth: { token }, capabilities: ['control'] },
  },
  {
    name: 'hello of a client that only asks how the worker is',
    kind: 'hello',
    header: { protocol: { min: 1, max: 1 }, client, auth: { token }, glance: true },
  },
  { name: 'welcome', kind: 'welcome', header: welcome },
  { name: 'welcome after a code', kind: 'welcome', header: { ...welcome, token } },
  ...Object.entries(exchanges).flatMap(([method, exchange]): FrameExample[] => {
    const { params, payload, result, answer }: Exchange<MethodName> = exchange;
    const id = `4f2a-${method}`;
    return [
      { name: `request ${method}`, kind: 'request', header: { id, method, params }, payload },
      { name: `response ${method}`, kind: 'response', header: { id, result }, payload: answer },
    ];
  }),
  { name: 'error of a request', kind: 'error', header: { id: '4f2a-1', error: failure } },
  { name: 'error of none', kind: 'error', header: { error: failure } },
  ...numberedEvents.map(({ name, event }): FrameExample => {
    return { name: `event ${name}`, kind: 'event', header: { event } };
  }),
  { name: 'status', kind: 'status', header: { status } },
  { name: 'drawing', kind: 'drawing', header: { drawing: { run, ...pictures, rows: 1 } } },
  { name: 'control of nobody yet', kind: 'control', header: { control: { yours: false } } },
  {
    name: 'control of another client',
    kind: 'control',
    header: {
      control: { yours: false, holder: { id: 'Zk3q9xT0bL1s', name: 'laptop', connected: true } },
    },
  },
  { name: 'cancel', kind: 'cancel', header: { id: '4f2a-1' } },
  { name: 'ping', kind: 'ping', header: { time } },
  { name: 'ping with a part of a millisecond', kind: 'ping', header: { time: time + 0.25 } },
  { name: 'pong', kind: 'pong', header: { time } },
  { name: 'bye', kind: 'bye', header: { reason: { ...failure, code: 'worker-stopping' } } },
  {
    name: 'commands',
    kind: 'commands',
    header: { session, number: 7, got: 3 },
    payload: Buffer.concat(encodeBatch(batches.commands.list, batches.commands.raw)),
  },
  { name: 'commands that confirm', kind: 'commands', header: { session, number: 0, got: 4 } },
  {
    name: 'results',
    kind: 'results',
    header: { session, number: 4, got: 7 },
    payload: Buffer.concat(encodeBatch(batches.results.list, batches.results.raw)),
  },
  {
    name: 'results of a session that ended',
    kind: 'results',
    header: { session, number: 0, got: 7, ended: { ...failure, code: 'tensor-engine-ended' } },
  },
];
