import { describe, expect, it } from 'vitest';
import { readNpy, readNpyLists, unpackNpz } from '../../../../../worker/engine/datasets/npz.ts';
import { int64Bytes, npyFile, npyLists, npzFile } from './numpy-files.ts';

const corrupt = (message: RegExp) =>
  expect.objectContaining({ code: 'dataset-corrupt', message: expect.stringMatching(message) });

describe('numpy files', () => {
  it('reads bytes, booleans and integers of 32 and 64 bits', () => {
    const bytes = npyFile({ type: '|u1', shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) });
    expect(readNpy(bytes, 'x')).toEqual({
      shape: [2, 3],
      values: Uint8Array.of(1, 2, 3, 4, 5, 255),
    });
    const flags = npyFile({ type: '|b1', shape: [2], data: Uint8Array.of(1, 0) });
    expect([...readNpy(flags, 'x').values]).toEqual([1, 0]);
    const narrow = new Uint8Array(Int32Array.of(-5, 70000).buffer);
    expect([...readNpy(npyFile({ type: '<i4', shape: [2], data: narrow }), 'x').values]).toEqual([
      -5, 70000,
    ]);
    const wide = int64Bytes([0n, -1n, 2147483647n, -2147483648n]);
    expect([...readNpy(npyFile({ type: '<i8', shape: [4], data: wide }), 'x').values]).toEqual([
      0, -1, 2147483647, -2147483648,
    ]);
  });

  it('reads every version of the format', () => {
    for (const version of [1, 2, 3]) {
      const file = npyFile({ type: '|u1', shape: [1], data: Uint8Array.of(9), version });
      expect([...readNpy(file, 'x').values]).toEqual([9]);
    }
    const unknown = npyFile({ type: '|u1', shape: [1], data: Uint8Array.of(9), version: 4 });
    expect(() => readNpy(unknown, 'x')).toThrow(corrupt(/version 4/));
  });

  it('refuses what it would read wrongly', () => {
    const read =
      (type: string, data: Uint8Array, fortranOrder = false) =>
      () =>
        readNpy(npyFile({ type, shape: [1], data, fortranOrder }), 'x.npy');
    expect(read('>i8', new Uint8Array(8))).toThrow(corrupt(/element type ">i8"/));
    expect(read('<f4', new Uint8Array(4))).toThrow(corrupt(/element type "<f4"/));
    expect(read('|u1', Uint8Array.of(1), true)).toThrow(corrupt(/Fortran order/));
    expect(read('|O', Uint8Array.of(0x4e, 0x2e))).toThrow(corrupt(/Python objects/));
    expect(read('|u1', Uint8Array.of(1, 2))).toThrow(corrupt(/2 bytes of data, not 1/));
    expect(read('<i8', int64Bytes([2147483648n]))).toThrow(corrupt(/beyond 32 bits/));
    expect(read('<i8', int64Bytes([-2147483649n]))).toThrow(corrupt(/beyond 32 bits/));
    expect(() =>
      readNpyLists(npyFile({ type: '|u1', shape: [1], data: Uint8Array.of(1) }), 'x'),
    ).toThrow(corrupt(/where lists belong/));
  });

  it('unpacks only the members asked for', () => {
    const archive = npzFile({
      x: npyLists([[1, 2], [3]]),
      y: npyFile({ type: '|u1', shape: [2], data: Uint8Array.of(1, 0) }),
    });
    const { x } = unpackNpz(archive, 'small.npz', ['x']);
    expect(readNpyLists(x, 'small.npz').lists).toEqual([Int32Array.of(1, 2), Int32Array.of(3)]);
    expect(() => unpackNpz(archive, 'small.npz', ['z'])).toThrow(corrupt(/no member z\.npy/));
  });

  it('refuses an archive cut at any length', () => {
    const archive = npzFile({ x: npyLists([[1, 2], [3]]) });
    for (let length = 0; length < archive.length; length += 1) {
      expect(() => unpackNpz(archive.subarray(0, length), 'cut.npz', ['x'])).toThrow(
        corrupt(/^cut\.npz /),
      );
    }
  });

  it('refuses an array cut at any length', () => {
    const numbers = npyFile({ type: '|u1', shape: [5], data: new Uint8Array(5) });
    for (let length = 0; length < numbers.length; length += 1) {
      expect(() => readNpy(numbers.subarray(0, length), 'cut')).toThrow(corrupt(/^cut /));
    }
    const lists = npyLists([[1, 2], [3]]);
    for (let length = 0; length < lists.length; length += 1) {
      expect(() => readNpyLists(lists.subarray(0, length), 'cut')).toThrow(corrupt(/^cut /));
    }
  });
});
