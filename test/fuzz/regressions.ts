import { sealRecord } from '../../shared/journal.ts';
import { hello, type Message, record, session, token } from './corpus.ts';
import { frameOf, payloadBytes } from './hostile-frames.ts';
import type { Input } from './input.ts';

export interface Regression {
  readonly what: string;
  readonly target: string;
  readonly input: Input;
  /** How it ends now. */
  readonly outcome: string;
}

const nothing = new Uint8Array(0);

const asked = (method: string, params: unknown): Input => [
  frameOf(hello({ token })),
  frameOf({ kind: 'request', header: { id: 'again', method, params } }),
];

const results = (list: readonly unknown[]): Input => {
  const message: Message = {
    kind: 'results',
    header: { session, number: 1, got: 0 },
    payload: { list, raw: Buffer.alloc(16) },
  };
  return [frameOf(message)];
};

const commands = (...list: readonly unknown[]): Input => [
  payloadBytes({ list, raw: Buffer.alloc(16) }),
];

/** The readers of the target `files`, by their places. */
const ledger = 2;

/** Inputs that did harm once, and what becomes of them now. */
export const regressions: readonly Regression[] = [
  {
    what: 'a setting of 5,000 letters came back in an error longer than any client reads',
    target: 'worker',
    input: asked('run.start', {
      record: {
        ...record,
        id: 'another',
        settings: { ...record.settings, units: 'x'.repeat(5000) },
      },
    }),
    outcome: 'bad-setting',
  },
  {
    what: 'a part of an answer beyond its end threw in the thread that holds the connection',
    target: 'tensor-link',
    input: results([['data', 2, 'int32', [4], 16, 12, 0, 8]]),
    outcome: 'malformed-batch',
  },
  {
    what: 'a part of an answer that was not begun was taken for its end',
    target: 'tensor-link',
    input: results([['data', 2, 'int32', [4], 16, 8, 0, 8]]),
    outcome: 'malformed-batch',
  },
  {
    what: 'an answer of a petabyte was made room for',
    target: 'tensor-link',
    input: results([['data', 2, 'string', [1], 1e15, 0, 0, 8]]),
    outcome: 'malformed-batch',
  },
  {
    what: 'a ledger with a record that is no msgpack of ours kept the worker from starting',
    target: 'files',
    input: [Buffer.of(ledger), sealRecord(Buffer.from('810102', 'hex'))],
    outcome: 'ledger read',
  },
  {
    what: 'a range downwards with a step of a half was made, 8 GB of it',
    target: 'tensors',
    input: commands(['run', 'Range', [], [0, -1e9, 0.5, 'float32'], [1]]),
    outcome: 'tensor-memory',
  },
  {
    what: 'a list for a number was taken for one, and 4 GB made of it',
    target: 'tensors',
    input: commands(['run', 'Range', [], [[[[1]]], -1e9, true, 'float32'], [1]]),
    outcome: 'kernel-failed',
  },
  {
    what: 'a matrix that was resized as a picture has no channels by the rule, and kept the process busy',
    target: 'tensors',
    input: commands(
      ['upload', 1, 'float32', [2, 2], 16, 0],
      ['run', 'ResizeBilinear', [1], [false, false, [100_000, 100_000]], [2]],
    ),
    outcome: 'kernel-failed',
  },
  {
    what: 'a window that does not move on kept the process busy without an end',
    target: 'tensors',
    input: commands(
      ['upload', 1, 'float32', [2, 2], 16, 0],
      ['run', 'Reshape', [1], [[1, 2, 2, 1]], [2]],
      // strides, dilations, pad, dimRoundingMode, filterShape
      [
        'run',
        'DepthwiseConv2dNativeBackpropFilter',
        [2, 2],
        [0, 1, 'valid', null, [2, 2, 1, 1]],
        [3],
      ],
    ),
    outcome: 'kernel-failed',
  },
  {
    what: 'a gradient of a picture padded beyond all measure kept the process busy',
    target: 'tensors',
    input: commands(
      ['upload', 1, 'float32', [2, 2], 16, 0],
      ['run', 'Reshape', [1], [[1, 2, 2, 1]], [2]],
      ['run', 'DepthwiseConv2dNativeBackpropFilter', [2, 2], [1, 1, 1e6, null, [2, 2, 1, 1]], [3]],
    ),
    outcome: 'kernel-failed',
  },
  {
    what: 'a kernel for numbers left strings that are none, and counting them threw',
    target: 'tensors',
    input: commands(
      ['upload', 1, 'string', [2], 8, 0],
      ['upload', 2, 'float32', [2], 8, 0],
      ['run', 'UnsortedSegmentSum', [1, 2], [9], [3]],
    ),
    outcome: 'done',
  },
  {
    what: 'a key that gives an object another prototype',
    target: 'frames',
    input: [frameOf({ kind: 'ping', header: { ['__proto__']: 1, time: 1 } }), nothing],
    outcome: 'malformed-frame',
  },
];
