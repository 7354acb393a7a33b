import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, expect, test } from 'vitest';
import { TeletrainError } from '../../../../../shared/errors.ts';
import { limits } from '../../../../../shared/limits.ts';
import { decodeBatch, encodeBatch, rawPart } from '../../../../../shared/tensors/batch.ts';
import { type Command, parseResult, type Result } from '../../../../../shared/tensors/commands.ts';
import { bytesOf, sizeOf, valuesOf } from '../../../../../shared/tensors/data.ts';
import { ResultWriter } from '../../../../../worker/engine/tensors/result-writer.ts';
import { TensorSession } from '../../../../../worker/engine/tensors/tensor-session.ts';
import { onEachEngine } from '../on-each-engine.ts';

const quota = { bytes: 4_000, handles: 50 };

onEachEngine((engine) => {
  let session: TensorSession;
  let answers: Result[];
  let raws: Uint8Array[];
  let results: ResultWriter;
  beforeEach(() => {
    answers = [];
    raws = [];
    results = new ResultWriter({
      send: (payload, written) => {
        const { list, raw } = decodeBatch(Buffer.concat(payload));
        for (const entry of list) {
          answers.push(parseResult(entry));
          raws.push(raw);
        }
        written();
      },
      unsentBytes: 0,
    });
    session = new TensorSession(quota, results);
  });

  const take = async (commands: readonly Command[], raw: Uint8Array[] = []): Promise<Result[]> => {
    const from = answers.length;
    await session.take(Buffer.from(Buffer.concat(encodeBatch(commands, raw))));
    results.flush();
    return answers.slice(from);
  };
  const upload = (handle: number, values: number[], shape = [values.length]) =>
    take(
      [['upload', handle, 'float32', shape, values.length * 4, 0]],
      [bytesOf(Float32Array.from(values))],
    );
  const read = async (handle: number): Promise<number[]> => {
    const [answer] = await take([['read', 1, handle]]);
    if (answer?.[0] !== 'data' || answer[2] === 'bytes') throw new Error(JSON.stringify(answer));
    const [, , dtype, shape, , , at, length] = answer;
    const bytes = rawPart(raws.at(-1) ?? new Uint8Array(0), at, length);
    return [...valuesOf(bytes, dtype, sizeOf(shape))].map(Number);
  };
  const failure = (answer: Result | undefined) => {
    if (answer?.[0] !== 'failed') throw new Error(`no failure: ${JSON.stringify(answer)}`);
    return answer[2];
  };

  test('runs kernels on uploaded tensors, with the attributes of their signature', async () => {
    await upload(1, [1, 2, 3, 4], [2, 2]);
    await take([['run', 'BatchMatMul', [1, 1], [false, true], [2]]]);
    expect(await read(2)).toEqual([5, 11, 11, 25]);
    await take([['run', 'Concat', [1, 2], [0], [3]]]);
    expect(await take([['describe', 2, [3]]])).toEqual([['described', 2, [['float32', [4, 2]]]]]);
  });

  test('puts an upload together from its parts', async () => {
    const bytes = bytesOf(Float32Array.of(1, 2, 3));
    await take([['upload', 1, 'float32', [3], 12, -1]]);
    await take([['part', 1, 0, 0, 8]], [bytes.subarray(0, 8)]);
    await take([['part', 1, 8, 0, 4]], [bytes.subarray(8)]);
    expect(await read(1)).toEqual([1, 2, 3]);
    await take([['part', 1, 8, 0, 4]], [bytes.subarray(8)]);
    await take([['upload', 2, 'float32', [3], 12, -1]]);
    await expect(take([['part', 2, 4, 0, 4]], [bytes])).rejects.toThrow('where 0 was expected');
  });

  test('sends a large tensor in chunks', async () => {
    const size = limits.chunkBytes / 4 + 10;
    const large = new TensorSession({ bytes: 1e7, handles: 10 }, results);
    const commands: Command[] = [
      ['run', 'Range', [], [0, size, 1, 'float32'], [1]],
      ['read', 7, 1],
    ];
    await large.take(Buffer.from(Buffer.concat(encodeBatch(commands))));
    results.flush();
    const lengths = answers.map((answer) => (answer[0] === 'data' ? [answer[5], answer[7]] : []));
    expect(lengths).toEqual([
      [0, limits.chunkBytes],
      [limits.chunkBytes, 40],
    ]);
  });

  test('an upload in parts of any type and length comes back as it was sent', async () => {
    const session = new TensorSession({ bytes: 2e7, handles: 10 }, results);
    const given = async (commands: readonly Command[], raw: Uint8Array[] = []) => {
      await session.take(Buffer.from(Buffer.concat(encodeBatch(commands, raw))));
      results.flush();
    };
    const before = engine().liveTensors();
    const size = 1_500_001;
    const floats = Float32Array.from({ length: size }, (_, index) => index / 3);
    const integers = Int32Array.from({ length: size }, (_, index) => 7 - index * 1001);
    const truths = Uint8Array.from({ length: size }, (_, index) => index % 3);
    for (const [dtype, values] of [
      ['float32', floats],
      ['int32', integers],
      ['bool', truths],
    ] as const) {
      const bytes = bytesOf(values);
      await given([['upload', 1, dtype, [1, size], bytes.length, -1]]);
      // Not all of one length, nor at a multiple of anything.
      for (let at = 0, length = 300_001; at < bytes.length; at += length, length = 250_007) {
        const part = bytes.subarray(at, at + length);
        await given([['part', 1, at, 0, part.length]], [part]);
      }
      answers = [];
      raws = [];
      // What comes after the values is told after them, and the tensor may be gone by then.
      await given([
        ['read', 1, 1],
        ['run', 'Fill', [], [[2], 1, 'float32'], [2]],
        ['dispose', [1]],
        ['describe', 2, [2]],
        ['dispose', [2]],
      ]);
      const kinds = answers.map(([type]) => type);
      expect(kinds.indexOf('described')).toBe(kinds.length - 1);
      const read = Buffer.concat(
        answers.slice(0, -1).map((answer, place) => {
          if (answer[0] !== 'data') throw new Error(JSON.stringify(answer));
          const [, , , , , , at, length] = answer;
          return rawPart(raws[place] ?? new Uint8Array(0), at, length);
        }),
      );
      const expected = dtype === 'bool' ? truths.map((value) => Math.min(value, 1)) : values;
      expect(read.equals(Buffer.from(bytesOf(expected)))).toBe(true);
    }
    await given([['upload', 3, 'float32', [size], size * 4, -1]]);
    await given([['dispose', [3]]]);
    expect(engine().liveTensors()).toBe(before);
  });

  test('tells at once what failed, with the shapes, and lets its outputs stand for it', async () => {
    await upload(1, [1, 2, 3, 4], [2, 2]);
    const [told] = await take([
      ['run', 'Reshape', [1], [[3, 7]], [2]],
      ['run', 'Neg', [2], [], [3]],
    ]);
    expect(told?.[1]).toBe(0);
    expect(failure(told)).toMatchObject({ code: 'kernel-failed', call: 1 });
    expect(failure(told).message).toMatch(/^Reshape\(\[2,2\]\) failed on the worker: /);
    expect(answers.length).toBe(1);
    expect(failure((await take([['read', 4, 3]]))[0])).toEqual(failure(told));
    expect(await read(1)).toEqual([1, 2, 3, 4]);
  });

  test('frees what is disposed of, and whatever a kernel made beside its outputs', async () => {
    const before = engine().liveTensors();
    await upload(1, [1, -2]);
    // Composed of several on each engine.
    await take([
      ['run', 'Step', [1], [0], [2]],
      ['read', 1, 2],
      ['dispose', [1, 2]],
    ]);
    expect(engine().liveTensors()).toBe(before);
    expect(failure((await take([['run', 'Neg', [1], [], [3]]]))[0]).code).toBe('unknown-tensor');
  });

  test('gives a tensor that a kernel hands through a handle of its own', async () => {
    await upload(1, [1, 2]);
    await take([
      ['run', 'Identity', [1], [], [2]],
      ['dispose', [1]],
    ]);
    expect(await read(2)).toEqual([1, 2]);
  });

  test('holds no more bytes and tensors than it may', async () => {
    await upload(1, [1, 2]);
    const [tooLarge] = await take([['run', 'Fill', [], [[1_000], 1, 'float32'], [2]]]);
    expect(failure(tooLarge)).toMatchObject({ code: 'tensor-memory', call: 1 });
    const [upTooLarge] = await take([['upload', 3, 'float32', [1_000], 4_000, -1]]);
    expect(failure(upTooLarge).code).toBe('tensor-memory');
    const outputs = Array.from({ length: 50 }, (_, index) => 10 + index);
    const many = await take(outputs.map((output): Command => ['run', 'Neg', [1], [], [output]]));
    expect(failure(many[0]).code).toBe('too-many-tensors');
    // What was there is there, and there is room again when something goes.
    await take([['dispose', outputs]]);
    await take([['run', 'Neg', [1], [], [100]]]);
    expect(await read(100)).toEqual([-1, -2]);
  });

  test.each<[Command, string]>([
    [['run', 'Fill', [], [[1_000_000_000], 1, 'float32'], [9]], 'tensor-memory'],
    [['run', 'Fill', [], [[100_000, 100_000, 100_000], 1, 'float32'], [9]], 'tensor-memory'],
    [['run', 'Fill', [], [[2 ** 31 - 1, 2 ** 31 - 1], 1, 'float32'], [9]], 'kernel-failed'],
    [['run', 'Fill', [], [[1000], 'x'.repeat(4096), 'string'], [9]], 'tensor-memory'],
    [['run', 'Range', [], [0, 1e9, 1, 'int32'], [9]], 'tensor-memory'],
    [['run', 'Range', [], [0, 1, 1e-300, 'float32'], [9]], 'tensor-memory'],
    [['run', 'LinSpace', [], [0, 1, 1e9], [9]], 'tensor-memory'],
    [['run', 'Tile', [1], [[1e8]], [9]], 'tensor-memory'],
    [['run', 'UnsortedSegmentSum', [8, 2], [1e9], [9]], 'tensor-memory'],
    [['run', 'BroadcastTo', [1], [[1e8, 4], null], [9]], 'tensor-memory'],
    [['run', 'OneHot', [2], [1e9, 1, 0, 'float32'], [9]], 'tensor-memory'],
    [['run', 'PadV2', [1], [[[0, 1e9]], 0], [9]], 'tensor-memory'],
    [['run', 'ResizeBilinear', [3], [false, false, [30_000, 30_000]], [9]], 'tensor-memory'],
    [['run', 'Multinomial', [4], [1e9, 1, false], [9]], 'tensor-memory'],
    [['run', 'UnsortedSegmentSum', [1, 2], [1e9], [9]], 'tensor-memory'],
    [['run', 'RaggedRange', [5, 6, 7], [], [9, 10]], 'tensor-memory'],
    [['run', 'AvgPool', [3], [[1, 1], [1, 1], 1e6, null], [9]], 'tensor-memory'],
    [['run', 'SplitV', [1], [1e9, 0], [9]], 'kernel-failed'],
    [['run', 'Unpack', [8], [0], [9]], 'kernel-failed'],
    [['run', 'Fill', [], ['abc', 1, 'float32'], [9]], 'kernel-failed'],
    [['run', 'Fill', [], [[-1], 1, 'float32'], [9]], 'kernel-failed'],
  ])('refuses before it runs what would take more than the quota: %j', async (command, code) => {
    await upload(1, [1, 2, 3, 4]);
    await take([['upload', 2, 'int32', [4], 16, 0]], [bytesOf(Int32Array.from([0, 1, 2, 3]))]);
    await upload(3, [1, 2, 3, 4], [1, 2, 2, 1]);
    await upload(4, [1, 2, 3, 4], [1, 4]);
    await upload(5, [0]);
    await upload(6, [1e9]);
    await upload(7, [1]);
    await upload(8, [], [1e9, 0]);
    const before = process.memoryUsage.rss();
    expect(failure((await take([command]))[0])).toMatchObject({ code });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
    expect(await read(1)).toEqual([1, 2, 3, 4]);
  });

  test('counts an upload from its beginning, and strings as objects', async () => {
    for (const handle of [1, 2, 3]) {
      expect(await take([['upload', handle, 'float32', [300], 1200, -1]])).toEqual([]);
    }
    expect(failure((await take([['upload', 4, 'float32', [300], 1200, -1]]))[0])).toMatchObject({
      code: 'tensor-memory',
    });
    await take([['dispose', [1, 2, 3]]]);
    expect(
      await take([
        ['upload', 5, 'float32', [900], 3600, -1],
        ['dispose', [5]],
      ]),
    ).toEqual([]);
    const empty = (count: number) => Array.from({ length: count }, () => new Uint8Array(0));
    expect(await take([['upload', 6, 'string', [10], 40, 0]], [bytesOf(empty(10))])).toEqual([]);
    const more = await take([['upload', 7, 'string', [20], 80, 0]], [bytesOf(empty(20))]);
    expect(failure(more[0])).toMatchObject({ code: 'tensor-memory' });
  });

  test('ends where a client goes on although all of its handles stand for failures', async () => {
    const runs = Array.from(
      { length: 2 * quota.handles },
      (_, place): Command => ['run', 'Neg', [999], [], [place + 1]],
    );
    await take(runs);
    await expect(take([['run', 'Neg', [999], [], [500]]])).rejects.toThrow(
      expect.objectContaining({ code: 'too-many-tensors' }),
    );
  });

  test('runs the gradients of convolutions and poolings that are of the shape they must be', async () => {
    await upload(1, [1, 2, 3, 4], [1, 2, 2, 1]);
    await upload(2, [1], [1, 1, 1, 1]);
    await upload(3, [1, 2, 3, 4], [1, 2, 2, 1, 1]);
    await upload(4, [1], [1, 1, 1, 1, 1]);
    await upload(5, [1, 2, 3, 4], [2, 2, 1, 1, 1]);
    await upload(6, [1, 2, 3, 4], [2, 2, 1, 1]);
    const asked: Command[] = [
      ['run', 'Conv2DBackpropFilter', [1, 2], [1, 'valid', 'NHWC', null, [2, 2, 1, 1]], [11]],
      ['run', 'Conv2DBackpropInput', [2, 6], [1, 'valid', 'NHWC', null, [1, 2, 2, 1]], [12]],
      ['run', 'Conv3DBackpropFilterV2', [3, 4], [1, 'valid', [2, 2, 1, 1, 1]], [13]],
      ['run', 'Conv3DBackpropInputV2', [4, 5], [1, 'valid', [1, 2, 2, 1, 1]], [14]],
      ['run', 'AvgPoolGrad', [2, 1], [[2, 2], 1, 'valid'], [15]],
    ];
    for (const command of asked) {
      const [answer] = await take([command]);
      expect([command[1], answer?.[0] === 'failed' ? failure(answer).message : '']).toEqual([
        command[1],
        '',
      ]);
    }
  });

  test('a bool that is neither 0 nor 1 is 1', async () => {
    await take([['upload', 1, 'bool', [3], 3, 0]], [Uint8Array.of(0, 255, 1)]);
    const [answer] = await take([['read', 1, 1]]);
    expect([...(raws.at(-1) ?? [])].slice(0, 3)).toEqual([0, 1, 1]);
    expect(answer?.[0]).toBe('data');
  });

  test('ends at what no client of ours sends', async () => {
    const malformed = expect.objectContaining({ code: 'malformed-batch' });
    await take([['run', 'Neg', [9], [], [1]]]);
    await expect(upload(1, [1])).rejects.toThrow(malformed);
    await expect(take([['upload', 2, 'float32', [2], 4, 0]])).rejects.toThrow(malformed);
    await expect(take([['upload', 3, 'float32', [2], 8, 0]])).rejects.toThrow(malformed);
    await expect(take([['part', 9, 0, 0, 0]])).rejects.toThrow(TeletrainError);
    await expect(session.take(new Uint8Array(5))).rejects.toThrow(malformed);
  });

  test('leaves nothing in tfjs’ own scopes', async () => {
    const { numTensors } = tf.memory();
    await upload(1, [1, 2]);
    await take([
      ['run', 'Softmax', [1], [0], [2]],
      ['dispose', [1, 2]],
    ]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
