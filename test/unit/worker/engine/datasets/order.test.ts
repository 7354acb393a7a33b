import { describe, expect, it } from 'vitest';
import { epochOrder } from '../../../../../worker/engine/datasets/order.ts';

describe('the order of examples', () => {
  it('visits every example once an epoch', () => {
    expect([...epochOrder(1, 0, 1000)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, index) => index),
    );
    expect([...epochOrder(1, 0, 1)]).toEqual([0]);
    expect(epochOrder(1, 0, 0)).toHaveLength(0);
  });

  it('follows from seed and epoch alone', () => {
    expect(epochOrder(1, 3, 100)).toEqual(epochOrder(1, 3, 100));
    expect(epochOrder(1, 3, 100)).not.toEqual(epochOrder(1, 4, 100));
    expect(epochOrder(2, 3, 100)).not.toEqual(epochOrder(1, 3, 100));
  });

  it('never changes between versions, since checkpoints rely on it', () => {
    expect([...epochOrder(1, 0, 10)]).toMatchInlineSnapshot(`
      [
        6,
        2,
        1,
        7,
        8,
        4,
        5,
        9,
        3,
        0,
      ]
    `);
  });

  it('puts each example in each place about equally often', () => {
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 6000; epoch += 1) {
      const key = epochOrder(1, epoch, 3).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(counts.size).toBe(6);
    expect(chiSquare).toBeLessThan(25.7);
  });
});
