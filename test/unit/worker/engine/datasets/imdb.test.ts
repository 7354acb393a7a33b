import { describe, expect, it } from 'vitest';
import { encodeReview } from '../../../../../worker/engine/datasets/imdb.ts';
import { padSequences } from '../../../../../worker/engine/datasets/pad-sequences.ts';

describe('reviews as Keras encodes them', () => {
  it('puts the start mark in front and shifts ranks by three', () => {
    expect([...encodeReview(Int32Array.of(1, 2, 88584), 100_000)]).toEqual([1, 4, 5, 88587]);
    expect([...encodeReview(Int32Array.of(), 10_000)]).toEqual([1]);
  });

  it('limits codes, not ranks: a vocabulary of 10,000 keeps the ranks to 9,996', () => {
    expect([...encodeReview(Int32Array.of(9996, 9997), 10000)]).toEqual([1, 9999, 2]);
  });

  it('replaces even the start mark where the vocabulary has no room for it', () => {
    expect([...encodeReview(Int32Array.of(1), 1)]).toEqual([2, 2]);
  });
});

describe('padding sequences', () => {
  it('keeps the end of long ones and puts zeros before short ones', () => {
    const rows = padSequences(
      [Int32Array.of(1, 2, 3, 4), Int32Array.of(5), Int32Array.of(), Int32Array.of(6, 7, 8)],
      3,
    );
    expect([...rows]).toEqual([2, 3, 4, 0, 0, 5, 0, 0, 0, 6, 7, 8]);
  });
});
