import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TeletrainError } from '../../../../../shared/errors.ts';
import { unpickleIntegerLists } from '../../../../../worker/engine/datasets/unpickle.ts';
import { integer, list, pickledLists } from './pickles.ts';

const read = (bytes: Uint8Array) =>
  unpickleIntegerLists(bytes, 'reviews.npz').map((one) => [...one]);

function refusal(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    if (error instanceof TeletrainError && error.code === 'dataset-corrupt') {
      return error.message;
    }
    throw error;
  }
  throw new Error('It was read.');
}

describe('unpickling lists of integers', () => {
  it('reads what was written, at every width of integer', () => {
    const lists = [[], [1], [0, 255, 256, 65535, 65536, 2147483647, -1, -2147483648], [7, 7]];
    expect(read(pickledLists(lists))).toEqual(lists);
    expect(read(pickledLists([]))).toEqual([]);
  });

  it('reads a list that was closed in several batches', () => {
    const elements = Buffer.concat([
      Buffer.from(']('),
      list([1, 2].map(integer)),
      list([3].map(integer)),
      Buffer.from('e('),
      list([4, 5].map(integer)),
      Buffer.from('e'),
    ]);
    expect(read(pickledLists([], { elements, shape: [3] }))).toEqual([[1, 2], [3], [4, 5]]);
  });

  it('calls nothing that a pickle names', () => {
    expect(refusal(Buffer.from("cos\nsystem\n(S'echo harm'\ntR."))).toContain('"os system"');
    expect(refusal(pickledLists([[1]], { reconstruct: 'builtins\neval' }))).toContain(
      '"builtins eval"',
    );
    // The known names in other roles are no calls either.
    expect(refusal(Buffer.from('\x80\x02cnumpy\nndarray\nK\x00\x85R.', 'latin1'))).toContain(
      'calls',
    );
  });

  it('refuses opcodes that such arrays never need, by name and place', () => {
    const backReference = Buffer.from('\x80\x02]q\x00h\x00.', 'latin1');
    expect(refusal(backReference)).toContain('opcode 0x68');
    expect(refusal(backReference)).toContain('byte 5');
    const protocol4 = Buffer.from('\x80\x04\x95', 'latin1');
    expect(refusal(protocol4)).toContain('protocol 2');
  });

  it('refuses arrays of anything else', () => {
    const strings = list([list([Buffer.from('U\x01a', 'latin1')])]);
    expect(refusal(pickledLists([], { elements: strings, shape: [1] }))).toContain('integers');
    const deeper = list([list([list([integer(1)])])]);
    expect(refusal(pickledLists([], { elements: deeper, shape: [1] }))).toContain('integers');
    const flat = list([integer(1), integer(2)]);
    expect(refusal(pickledLists([], { elements: flat, shape: [2] }))).toContain('no lists');
    expect(refusal(pickledLists([[1]], { shape: [2] }))).toContain('one-dimensional');
    expect(refusal(pickledLists([[1]], { shape: [1, 1] }))).toContain('one-dimensional');
    expect(refusal(pickledLists([[1]], { type: 'i8' }))).toContain('objects');
    expect(refusal(pickledLists([[1]], { fortranOrder: Buffer.from('N') }))).toContain('objects');
    expect(refusal(Buffer.from('\x80\x02K\x01.', 'latin1'))).toContain('not an array');
  });

  it('refuses what goes on behind the pickle or leaves values behind', () => {
    expect(refusal(Buffer.concat([pickledLists([[1]]), Buffer.from('N')]))).toContain('goes on');
    expect(refusal(Buffer.from('\x80\x02NN.', 'latin1'))).toContain('goes on');
    expect(refusal(Buffer.from('\x80\x02N(.', 'latin1'))).toContain('empty pickle stack');
  });

  it('refuses a pickle cut at any length', () => {
    const whole = pickledLists([[1, 2, 300], [70000], [], [4]]);
    for (let length = 0; length < whole.length; length += 1) {
      refusal(whole.subarray(0, length));
    }
  });

  it('survives any damage with a plain refusal or lists of integers', () => {
    const whole = pickledLists([[1, 2, 300], [70000], [], [4]]);
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) {
          bytes[at] = value;
        }
        try {
          expect(unpickleIntegerLists(bytes, 'x').every((one) => one instanceof Int32Array)).toBe(
            true,
          );
        } catch (error) {
          expect(error).toMatchObject({ code: 'dataset-corrupt' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
