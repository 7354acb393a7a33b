import { describe, expect, it } from 'vitest';
import { MersenneTwister } from '../../../../../worker/engine/datasets/mersenne-twister.ts';

describe('the Mersenne Twister', () => {
  it('gives the published outputs of MT19937 for seed 5489', () => {
    const twister = new MersenneTwister(5489);
    const outputs = Array.from({ length: 10_000 }, () => twister.nextUint32());
    expect(outputs.slice(0, 5)).toEqual([3499211612, 581869302, 3890346734, 3586334585, 545404204]);
    // The value that the C++ standard requires of std::mt19937.
    expect(outputs[9_999]).toBe(4123659995);
  });

  it('draws intervals by mask and rejection, and nothing for an interval of one', () => {
    const twister = new MersenneTwister(5489);
    expect(twister.nextInterval(0)).toBe(0);
    // 3499211612 & 7 = 4; 581869302 & 7 = 6 and 3890346734 & 7 = 6 are above 5; 3586334585 & 7 = 1.
    expect([twister.nextInterval(5), twister.nextInterval(5)]).toEqual([4, 1]);
    expect(twister.nextInterval(0xffffffff)).toBe(545404204);
  });

  it('shuffles as numpy.random.RandomState(113).shuffle(arange(10))', () => {
    const values = Uint32Array.from({ length: 10 }, (_, index) => index);
    new MersenneTwister(113).shuffle(values);
    expect([...values]).toEqual([9, 3, 6, 1, 0, 7, 4, 8, 2, 5]);
  });
});
