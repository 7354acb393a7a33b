import { describe, expect, it } from 'vitest';
import { readAmat } from '../../../../../worker/engine/datasets/amat.ts';

const corrupt = (message: RegExp) =>
  expect.objectContaining({ code: 'dataset-corrupt', message: expect.stringMatching(message) });
const read = (text: string, limit?: number) => [...readAmat(Buffer.from(text), 'x.amat', 3, limit)];

describe('binary pictures as text', () => {
  it('reads a picture a line', () => {
    expect(read('0 1 1\n1 0 0\n')).toEqual([0, 1, 1, 1, 0, 0]);
  });

  it('takes trailing spaces, Windows line ends and a missing last newline', () => {
    expect(read('0 1 1 \n1 0 0')).toEqual([0, 1, 1, 1, 0, 0]);
    expect(read('0 1 1\r\n1 0 0\r\n')).toEqual([0, 1, 1, 1, 0, 0]);
    expect(read('')).toEqual([]);
  });

  it('reads only as many as asked', () => {
    expect(read('0 1 1\n1 0 0\nbroken', 2)).toEqual([0, 1, 1, 1, 0, 0]);
  });

  it('names the line that is wrong', () => {
    expect(() => read('0 1 1\n1 2 0\n')).toThrow(corrupt(/pixel 2 in line 2/));
    expect(() => read('0 1 1\n1 0\n')).toThrow(corrupt(/pixel 2 in line 2/));
    expect(() => read('0 1 1 0\n')).toThrow(corrupt(/more than 3 pixels in line 1/));
    expect(() => read('011\n')).toThrow(corrupt(/no space after pixel 1 in line 1/));
    expect(() => read('0 1 1\n\n')).toThrow(corrupt(/line 2/));
  });

  it('refuses a text cut within a picture', () => {
    for (const length of [1, 2, 3, 4, 7, 8, 9, 10]) {
      expect(() => read('0 1 1\n1 0 0\n'.slice(0, length))).toThrow(corrupt(/^x\.amat /));
    }
  });
});
