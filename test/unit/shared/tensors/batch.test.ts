import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TeletrainError } from '../../../../shared/errors.ts';
import { decodeBatch, encodeBatch, rawPart } from '../../../../shared/tensors/batch.ts';
import { type Command, parseCommand, parseResult } from '../../../../shared/tensors/commands.ts';
import { bytesOf, sizeOf, valuesOf } from '../../../../shared/tensors/data.ts';

const batchOf = (list: readonly unknown[], raw: Uint8Array[] = []) =>
  Buffer.concat(encodeBatch(list, raw));

describe('a batch', () => {
  test('brings its list and its raw bytes, which start at multiples of 16', () => {
    const first = Uint8Array.from([1, 2, 3]);
    const second = Uint8Array.from([4]);
    const { list, raw } = decodeBatch(batchOf([['read', 1, 2]], [first, second]));
    expect(list).toEqual([['read', 1, 2]]);
    expect([...rawPart(raw, 0, 3)]).toEqual([1, 2, 3]);
    expect([...rawPart(raw, 16, 1)]).toEqual([4]);
    expect(() => rawPart(raw, 16, 17)).toThrow('it has no bytes 16 to 33');
  });

  test('that is none is refused with a reason, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          const { list } = decodeBatch(bytes);
          for (const entry of list) parseCommand(entry);
        } catch (error) {
          expect(error).toBeInstanceOf(TeletrainError);
          expect((error as TeletrainError).code).toBe('malformed-batch');
        }
      }),
    );
  });

  test('whose list is said to be longer than all of it is refused, however long', () => {
    const whole = batchOf([['read', 1, 2]]);
    for (const length of [whole.length, 2 ** 31, 2 ** 32 - 16, 2 ** 32 - 1]) {
      whole.writeUInt32LE(length, 0);
      expect(() => decodeBatch(whole)).toThrow('is cut off');
    }
  });

  test('with one byte changed is read or refused, and nothing else', () => {
    const whole = batchOf(
      [
        ['upload', 1, 'float32', [2, 2], 16, 0],
        ['run', 'BatchMatMul', [1, 1], [false, true], [2]],
        ['read', 1, 2],
      ],
      [bytesOf(Float32Array.of(1, 2, 3, 4))],
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (place, value) => {
        const spoiled = Buffer.from(whole);
        spoiled[place] = value;
        try {
          for (const entry of decodeBatch(spoiled).list) parseCommand(entry);
        } catch (error) {
          expect(error).toBeInstanceOf(TeletrainError);
        }
      }),
    );
  });
});

describe('a command', () => {
  test.each<Command>([
    ['upload', 1, 'bool', [3], 3, -1],
    ['part', 1, 0, 0, 3],
    ['run', 'Concat', [1, 2, 3], [0], [4]],
    ['run', 'FusedConv2D', [1, 2, null, null], [1, 'same', 'NHWC', 1, null, 'relu', null], [3]],
    [
      'run',
      'PadV2',
      [1],
      [
        [
          [1, 1],
          [0, 0],
        ],
        0,
      ],
      [2],
    ],
    ['dispose', [1, 2]],
    ['read', 1, 2],
    ['describe', 1, []],
    ['upload', 1, 'bytes', [3], 3, 0],
    ['createRecipeModel', 1, 2, 'imdb-lstm', { units: 3, optimizer: 'adam' }],
    ['createLayersModel', 1, 2, 3, null],
    ['forwardBackward', 1, 2, 3, 4, 'meanSquaredError'],
    ['optimStep', 1, 2, { learningRate: 0.1 }],
    ['evaluate', 1, 2, 3, null, null],
    ['evaluate', 1, 2, [3, 4], { a: 5, b: 6 }, { a: 'meanSquaredError' }],
    ['predict', 1, 2, { a: 3 }, [4, 5]],
    ['sample', 1, 2, null, { count: 3 }],
    ['saveState', 1, 2],
    ['loadState', 1, 2, 3],
    ['disposeModel', 2],
  ])('%j is taken', (...command) => {
    expect(parseCommand(command)).toBe(command);
  });

  test.each([
    ['a kernel that tfjs-core does not define', ['run', 'eval', [1], [], [2]]],
    ['a property of every object', ['run', 'constructor', [1], [], [2]]],
    ['too few inputs', ['run', 'Add', [1], [], [2]]],
    ['a list with nothing in it', ['run', 'Concat', [null], [0], [2]]],
    ['an attribute that is an object', ['run', 'Cast', [1], [{ dtype: 'int32' }], [2]]],
    ['attributes too deep', ['run', 'PadV2', [1], [[[[[1]]]], 0], [2]]],
    ['no output', ['run', 'Neg', [1], [], []]],
    ['a handle that is no integer', ['read', 1, 0.5]],
    ['a negative handle', ['dispose', [-1]]],
    ['a shape that is none', ['upload', 1, 'float32', [2.5], 4, 0]],
    ['an unknown type', ['upload', 1, 'float64', [1], 8, 0]],
    ['an unknown command', ['exec', 'rm']],
    ['no list', { run: 'Add' }],
    ['a recipe that is no text', ['createRecipeModel', 1, 2, 3, {}]],
    ['an option within an option', ['optimStep', 1, 2, { adam: { beta1: 1 } }]],
    ['options that are a list', ['optimStep', 1, 2, [0.1]]],
    ['an option without end', ['optimStep', 1, 2, { optimizer: 'a'.repeat(5000) }]],
    ['too many options', ['sample', 1, 2, null, Object.fromEntries([...Array(65).entries()])]],
    ['a loss without end', ['forwardBackward', 1, 2, 3, 4, 'a'.repeat(101)]],
    ['no input', ['evaluate', 1, 2, [], null, null]],
    ['an input within an input', ['evaluate', 1, 2, [[3]], null, null]],
    ['an input that is no handle', ['predict', 1, 2, { a: '3' }, [4]]],
    ['too many inputs', ['predict', 1, 2, Array(257).fill(3), [4]]],
    ['one handle for two outputs', ['predict', 1, 2, 3, [4, 4]]],
    ['losses that are numbers', ['evaluate', 1, 2, 3, 4, [5]]],
    ['too few fields', ['saveState', 1]],
    ['too many fields', ['disposeModel', 1, 2]],
  ])('with %s is refused', (_what, command) => {
    expect(() => parseCommand(command)).toThrow(TeletrainError);
  });

  test('of a result is refused by a client likewise', () => {
    expect(() => parseResult(['data', 1, 'float32', [1], 4, 0, 0, 4])).not.toThrow();
    expect(() => parseResult(['data', 'x'])).toThrow(TeletrainError);
    expect(() => parseResult(['failed', 1, {}])).toThrow(TeletrainError);
  });
});

describe('values', () => {
  test('come back from their bytes, strings with what they hold', () => {
    const texts = ['', 'ü', 'loss'].map((text) => new Uint8Array(Buffer.from(text)));
    expect(valuesOf(bytesOf(texts), 'string', 3)).toEqual(texts);
    expect(valuesOf(bytesOf(Int32Array.of(-1, 2)), 'int32', 2)).toEqual(Int32Array.of(-1, 2));
    expect(valuesOf(bytesOf(Float32Array.of(0.5)), 'float32', 1)).toEqual(Float32Array.of(0.5));
    expect(sizeOf([])).toBe(1);
  });

  test('are copied where their bytes are not aligned', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 1.5, true);
    expect(valuesOf(bytes.subarray(1), 'float32', 2)).toEqual(Float32Array.of(1.5, 0));
  });

  test.each([
    ['too few bytes', new Uint8Array(3), 'float32', 1],
    ['a string that is cut off', Uint8Array.of(5, 0, 0, 0, 1), 'string', 1],
    ['another number of strings', Uint8Array.of(0, 0, 0, 0), 'string', 2],
  ] as const)('are refused with %s', (_what, bytes, dtype, size) => {
    expect(() => valuesOf(bytes, dtype, size)).toThrow(TeletrainError);
  });
});
