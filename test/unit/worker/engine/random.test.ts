import { describe, expect, it } from 'vitest';
import { createRandom, splitMix64, Xoshiro128StarStar } from '../../../../worker/engine/random.ts';

const draws = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);

describe('the random generator', () => {
  it("gives the published outputs of xoshiro128** from the authors' state 1, 2, 3, 4", () => {
    const random = new Xoshiro128StarStar([1, 2, 3, 4]);
    expect(draws(10, () => random.nextUint32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ]);
  });

  it('gives the published outputs of SplitMix64', () => {
    expect(draws(5, splitMix64(1234567n))).toEqual([
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
      4593380528125082431n,
      16408922859458223821n,
    ]);
    expect(draws(3, splitMix64(0n))).toEqual([
      0xe220a8397b1dcdafn,
      0x6e789e6aa1b965f4n,
      0x06c45d188009454fn,
    ]);
  });

  it('is seeded by SplitMix64, low halves first', () => {
    const random = createRandom(1);
    expect(random.state()).toBe(
      [2298633409, 2433363436, 1703865447, 3203108257]
        .map((word) => word.toString(16).padStart(8, '0'))
        .join(''),
    );
    expect(draws(6, () => random.nextUint32())).toEqual([
      1695105466, 1423115009, 634581793, 1068227753, 716759206, 4186505319,
    ]);
  });

  it('makes 53-bit uniforms from two draws, the high bits first', () => {
    const random = createRandom(1);
    const expected = ((1695105466 >>> 5) * 2 ** 26 + (1423115009 >>> 6)) / 2 ** 53;
    expect(random.next()).toBe(expected);
  });

  it('stays in [0, 1) with the mean and the variance of a uniform', () => {
    const random = createRandom(7);
    const values = draws(100_000, () => random.next());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it('goes on exactly from a state that went through JSON', () => {
    const random = createRandom(3, 'sampling');
    draws(5, () => random.next());
    const saved: unknown = JSON.parse(JSON.stringify({ random: random.state() })).random;
    const expected = draws(5, () => random.next());
    const other = createRandom(99);
    other.restore(String(saved));
    expect(draws(5, () => other.next())).toEqual(expected);
  });

  it('keeps the streams of one seed, and one stream of two seeds, apart', () => {
    const states = [
      createRandom(1),
      createRandom(1, ''),
      createRandom(1, 'order/0'),
      createRandom(1, 'order/1'),
      createRandom(2, 'order/0'),
      createRandom(256, 'order/0'),
    ].map((random) => random.state());
    expect(new Set(states).size).toBe(states.length);
  });

  it('draws every integer below a bound about equally often', () => {
    const random = createRandom(5);
    const counts = new Array<number>(6).fill(0);
    for (let draw = 0; draw < 60_000; draw += 1) {
      const value = random.nextBelow(6);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    // Five degrees of freedom: 25.7 is exceeded once in 10,000 seeds.
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(25.7);
  });

  it('refuses seeds, bounds and states that are none', () => {
    expect(() => createRandom(-1)).toThrow(RangeError);
    expect(() => createRandom(2 ** 32)).toThrow(RangeError);
    expect(() => createRandom(0.5)).toThrow(RangeError);
    expect(() => createRandom(1).nextBelow(0)).toThrow(RangeError);
    expect(() => createRandom(1).restore('xyz')).toThrow(RangeError);
    expect(() => createRandom(1).restore('0'.repeat(32))).toThrow(RangeError);
  });
});
