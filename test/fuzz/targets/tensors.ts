import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { TeletrainError } from '../../../shared/errors.ts';
import { limits } from '../../../shared/limits.ts';
import { decodeBatch } from '../../../shared/tensors/batch.ts';
import { parseResult } from '../../../shared/tensors/commands.ts';
import { bytesPerValue, type DataTypeName } from '../../../shared/tensors/data.ts';
import { type KernelName, kernelSignature, kernels } from '../../../shared/tensors/kernels.ts';
import { ResultWriter } from '../../../worker/engine/tensors/result-writer.ts';
import { TensorSession } from '../../../worker/engine/tensors/tensor-session.ts';
import type { Chance } from '../chance.ts';
import { commands, type Payload } from '../corpus.ts';
import { hostilePayload, payloadBytes } from '../hostile-frames.ts';
import { reasonOf, requireReason, type Target } from '../target.ts';

const quota = { bytes: 1_000_000, handles: 64 };
const uploads = 6;

/**
 * A tensor session on tfjs' own JavaScript: batches that are none, and kernels that are asked for
 * what no program asks. A kernel may fail; nothing may escape, and the quota holds before it runs.
 */
export async function openTensors(): Promise<Target> {
  await tf.setBackend('cpu');
  tf.env().set('CHECK_COMPUTATION_FOR_ERRORS', false);
  return {
    name: 'tensors',
    share: 45,
    // A kernel's own scratch: some copy their inputs to lists of numbers.
    memory: 64 * 1024 * 1024,
    make: (chance) =>
      Array.from({ length: 1 + chance.below(2) }, (_, place) => batch(chance, place)),
    run: async (input) => {
      const counts = new Map<string, number>();
      const results = new ResultWriter({
        send: (payload, written) => {
          const bytes = Buffer.concat(payload);
          if (bytes.length > limits.frameBytes - limits.headerBytes) {
            throw new Error(`results of ${bytes.length} bytes`);
          }
          for (const one of decodeBatch(bytes).list) {
            const result = parseResult(one);
            if (result[0] === 'failed') requireReason(result[2]);
            const word = result[0] === 'failed' ? result[2].code : result[0];
            counts.set(word, (counts.get(word) ?? 0) + 1);
          }
          written();
        },
        unsentBytes: 0,
      });
      const session = new TensorSession(quota, results);
      const engine = tf.engine();
      engine.startScope();
      try {
        for (const message of input) await session.take(Uint8Array.from(message));
        results.flush();
        const { numBytes } = tf.memory();
        if (numBytes > 2 * quota.bytes) throw new Error(`the session holds ${numBytes} bytes`);
      } catch (error) {
        if (!(error instanceof TeletrainError)) throw error;
        return reasonOf(error);
      } finally {
        engine.endScope();
      }
      return [...counts.keys()].sort().join(' ') || 'done';
    },
    close: async () => tf.removeBackend('cpu'),
  };
}

function batch(chance: Chance, place: number): Uint8Array {
  const firstHandle = 1 + place * 1000;
  if (chance.once(4)) {
    return payloadBytes(hostilePayload({ list: commands, raw: Buffer.alloc(64) }, chance));
  }
  const { list, raw } = madeTensors(chance, firstHandle);
  let handle = firstHandle + uploads;
  for (let count = 1 + chance.below(6); count > 0; count -= 1) {
    const outputs = Array.from({ length: chance.pick([1, 1, 1, 2, 3]) }, () => handle++);
    list.push(run(chance, firstHandle, outputs));
    list.push(['read', handle, outputs[0]]);
  }
  const payload: Payload = { list, raw };
  return payloadBytes(chance.once(4) ? hostilePayload(payload, chance) : payload);
}

function madeTensors(chance: Chance, firstHandle: number) {
  const list: unknown[] = [];
  const raws: Uint8Array[] = [];
  let at = 0;
  for (let place = 0; place < uploads; place += 1) {
    const dtype = chance.pick<DataTypeName>([
      ...([
        'float32',
        'float32',
        'float32',
        'int32',
        'int32',
        'bool',
        'complex64',
        'string',
      ] as const),
    ]);
    const shape = chance.pick([
      [],
      [4],
      [2, 2],
      [0],
      [3, 3],
      [1, 4, 4, 1],
      [2, 3, 3, 2],
      [1, 2, 2, 2, 1],
    ]);
    const size = shape.reduce((product, length) => product * length, 1);
    const bytes =
      dtype === 'string'
        ? Buffer.from('02000000613b'.repeat(size), 'hex')
        : valuesFor(dtype, size, chance);
    list.push(['upload', firstHandle + place, dtype, shape, bytes.byteLength, at]);
    const padded = Buffer.alloc(Math.ceil(bytes.byteLength / 16) * 16);
    padded.set(bytes);
    raws.push(padded);
    at += padded.length;
  }
  return { list, raw: Buffer.concat(raws) };
}

function valuesFor(dtype: Exclude<DataTypeName, 'string'>, size: number, chance: Chance) {
  const bytes = Buffer.alloc(size * bytesPerValue[dtype]);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const value = chance.pick([0, 1, 2, -1, 3, 1e9, -1e9]);
    if (dtype === 'int32') bytes.writeInt32LE(value, at);
    else bytes.writeFloatLE(chance.once(10) ? Number.NaN : value, at);
  }
  return bytes;
}

const names = Object.keys(kernels) as KernelName[];

function run(chance: Chance, firstHandle: number, outputs: readonly number[]): unknown[] {
  const name = chance.pick(names);
  const { inputs, attributes } = kernelSignature(name);
  const count = inputs === 'list' ? 1 + chance.below(4) : inputs.length;
  return [
    'run',
    name,
    Array.from({ length: count }, () => firstHandle + chance.below(uploads)),
    attributes.map((attribute) => attributeOf(attribute, chance)),
    outputs,
  ];
}

/** What a kernel can make something of. */
const plausible: Readonly<Record<string, readonly unknown[]>> = {
  axis: [0, 1, -1, [0], [0, 1]],
  blockShape: [
    [1, 1],
    [2, 2],
  ],
  crops: [
    [
      [0, 0],
      [0, 0],
    ],
  ],
  dataFormat: ['NHWC', 'NCHW', 'NDHWC'],
  dilations: [[1, 1], 1, [1, 1, 1], [1, 1, 1, 1]],
  dtype: ['float32', 'int32', 'bool', 'complex64', 'string'],
  equation: ['ij,jk->ik', 'ij->ji', 'i,i->', 'ij,jk,kl->il'],
  filterShape: [
    [2, 2, 1, 1],
    [1, 1, 2, 2],
  ],
  filterSize: [
    [1, 1],
    [2, 2],
    [1, 1, 1],
  ],
  inputShape: [
    [1, 4, 4, 1],
    [2, 3, 3, 2],
  ],
  nGramWidths: [[1], [2, 3]],
  paddings: [
    [
      [0, 0],
      [1, 1],
    ],
    [[1, 0]],
  ],
  pad: [
    'same',
    'valid',
    0,
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  ],
  perm: [[0], [1, 0], [0, 2, 1, 3]],
  reps: [[2], [2, 2], [1, 1, 1, 2]],
  shape: [[2, 2], [4], [-1], [100, 100]],
  size: [[2], [3, 3], [-1], [8, 8], 5],
  strides: [[1, 1], 1, [1, 1, 1], [1, 1, 1, 1]],
};

const anything: readonly unknown[] = [
  ...[null, true, false, 0, 1, 2, 3, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e9, 2 ** 31],
  ...[-1e9, 1e300, '', 'same', 'x', '__proto__', 'float32', [], [0], [1, 1], [2, 2], [1e9], [-1]],
  ...[
    [1e5, 1e5],
    [[0, 1e9]],
    [
      [0, 0],
      [0, 0],
    ],
    [1, 2, 3, 4],
    ['a', 'b'],
    [null],
    [[[1]]],
    [0.5],
  ],
];

/**
 * tfjs' own JavaScript goes through a window step by step, however large: it would compute for years,
 * which a client may have its own process do, and a test has no time for.
 */
const windows = ['filterSize', 'strides', 'dilations', 'pad', 'depthRadius'];
const small: readonly unknown[] = [null, true, '', 'x', 0, 1, -1, 1.5, [], [0], [1, 2, 3], [[[1]]]];

function attributeOf(attribute: string, chance: Chance): unknown {
  const odd = windows.includes(attribute) ? small : anything;
  return chance.pick(chance.below(10) < 7 ? (plausible[attribute] ?? odd) : odd);
}
