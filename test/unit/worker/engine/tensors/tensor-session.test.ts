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
    results = new ResultWriter((payload) => {
      const { list, raw } = decodeBatch(Buffer.concat(payload));
      for (const entry of list) {
        answers.push(parseResult(entry));
        raws.push(raw);
      }
    });
    session = new TensorSession(quota, results);
  });

  const take = (commands: readonly Command[], raw: Uint8Array[] = []): Result[] => {
    const from = answers.length;
    session.take(Buffer.from(Buffer.concat(encodeBatch(commands, raw))));
    results.flush();
    return answers.slice(from);
  };
  const upload = (handle: number, values: number[], shape = [values.length]) =>
    take(
      [['upload', handle, 'float32', shape, values.length * 4, 0]],
      [bytesOf(Float32Array.from(values))],
    );
  const read = (handle: number): number[] => {
    const [answer] = take([['read', 1, handle]]);
    if (answer?.[0] !== 'data') throw new Error(JSON.stringify(answer));
    const [, , dtype, shape, , , at, length] = answer;
    const bytes = rawPart(raws.at(-1) ?? new Uint8Array(0), at, length);
    return [...valuesOf(bytes, dtype, sizeOf(shape))].map(Number);
  };
  const failure = (answer: Result | undefined) => {
    if (answer?.[0] !== 'failed') throw new Error(`no failure: ${JSON.stringify(answer)}`);
    return answer[2];
  };

  test('runs kernels on uploaded tensors, with the attributes of their signature', () => {
    upload(1, [1, 2, 3, 4], [2, 2]);
    take([['run', 'BatchMatMul', [1, 1], [false, true], [2]]]);
    expect(read(2)).toEqual([5, 11, 11, 25]);
    take([['run', 'Concat', [1, 2], [0], [3]]]);
    expect(take([['describe', 2, [3]]])).toEqual([['described', 2, [['float32', [4, 2]]]]]);
  });

  test('puts an upload together from its parts', () => {
    const bytes = bytesOf(Float32Array.of(1, 2, 3));
    take([['upload', 1, 'float32', [3], 12, -1]]);
    take([['part', 1, 0, 0, 8]], [bytes.subarray(0, 8)]);
    take([['part', 1, 8, 0, 4]], [bytes.subarray(8)]);
    expect(read(1)).toEqual([1, 2, 3]);
    expect(() => take([['part', 1, 8, 0, 4]], [bytes.subarray(8)])).not.toThrow();
    take([['upload', 2, 'float32', [3], 12, -1]]);
    expect(() => take([['part', 2, 4, 0, 4]], [bytes])).toThrow('where 0 was expected');
  });

  test('sends a large tensor in chunks', () => {
    const size = limits.chunkBytes / 4 + 10;
    const large = new TensorSession({ bytes: 1e7, handles: 10 }, results);
    const commands: Command[] = [
      ['run', 'Range', [], [0, size, 1, 'float32'], [1]],
      ['read', 7, 1],
    ];
    large.take(Buffer.from(Buffer.concat(encodeBatch(commands))));
    results.flush();
    const lengths = answers.map((answer) => (answer[0] === 'data' ? [answer[5], answer[7]] : []));
    expect(lengths).toEqual([
      [0, limits.chunkBytes],
      [limits.chunkBytes, 40],
    ]);
  });

  test('tells at once what failed, with the shapes, and lets its outputs stand for it', () => {
    upload(1, [1, 2, 3, 4], [2, 2]);
    const [told] = take([
      ['run', 'Reshape', [1], [[3, 7]], [2]],
      ['run', 'Neg', [2], [], [3]],
    ]);
    expect(told?.[1]).toBe(0);
    expect(failure(told)).toMatchObject({ code: 'kernel-failed', call: 1 });
    expect(failure(told).message).toMatch(/^Reshape\(\[2,2\]\) failed on the worker: /);
    expect(answers.length).toBe(1);
    expect(failure(take([['read', 4, 3]])[0])).toEqual(failure(told));
    expect(read(1)).toEqual([1, 2, 3, 4]);
  });

  test('frees what is disposed of, and whatever a kernel made beside its outputs', () => {
    const before = engine().liveTensors();
    upload(1, [1, -2]);
    // Composed of several on each engine.
    take([
      ['run', 'Step', [1], [0], [2]],
      ['read', 1, 2],
      ['dispose', [1, 2]],
    ]);
    expect(engine().liveTensors()).toBe(before);
    expect(failure(take([['run', 'Neg', [1], [], [3]]])[0]).code).toBe('unknown-tensor');
  });

  test('gives a tensor that a kernel hands through a handle of its own', () => {
    upload(1, [1, 2]);
    take([
      ['run', 'Identity', [1], [], [2]],
      ['dispose', [1]],
    ]);
    expect(read(2)).toEqual([1, 2]);
  });

  test('holds no more bytes and tensors than it may', () => {
    upload(1, [1, 2]);
    const [tooLarge] = take([['run', 'Fill', [], [[1_000], 1, 'float32'], [2]]]);
    expect(failure(tooLarge)).toMatchObject({ code: 'tensor-memory', call: 1 });
    const [upTooLarge] = take([['upload', 3, 'float32', [1_000], 4_000, -1]]);
    expect(failure(upTooLarge).code).toBe('tensor-memory');
    const outputs = Array.from({ length: 50 }, (_, index) => 10 + index);
    const many = take(outputs.map((output): Command => ['run', 'Neg', [1], [], [output]]));
    expect(failure(many[0]).code).toBe('too-many-tensors');
    // What was there is there, and there is room again when something goes.
    take([['dispose', outputs]]);
    take([['run', 'Neg', [1], [], [100]]]);
    expect(read(100)).toEqual([-1, -2]);
  });

  test('ends at what no client of ours sends', () => {
    const malformed = expect.objectContaining({ code: 'malformed-batch' });
    expect(() => take([['run', 'Neg', [1], [], [1, 1]]])).not.toThrow();
    expect(() => upload(1, [1])).toThrow(malformed);
    expect(() => take([['upload', 2, 'float32', [2], 4, 0]])).toThrow(malformed);
    expect(() => take([['upload', 3, 'float32', [2], 8, 0]])).toThrow(malformed);
    expect(() => take([['part', 9, 0, 0, 0]])).toThrow(TeletrainError);
    expect(() => session.take(new Uint8Array(5))).toThrow(malformed);
  });

  test('leaves nothing in tfjs’ own scopes', () => {
    const { numTensors } = tf.memory();
    upload(1, [1, 2]);
    take([
      ['run', 'Softmax', [1], [0], [2]],
      ['dispose', [1, 2]],
    ]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
