import { expect, test } from 'vitest';
import { limits } from '../../../../shared/limits.ts';
import { mostPinned, Pins } from '../../../../worker/gateway/pins.ts';

test('a checkpoint is kept for a minute from when it was last read', () => {
  const pins = new Pins();
  expect(pins.touch('step-1', 0)).toBe(true);
  expect(pins.touch('step-1', 10)).toBe(false);
  expect(pins.expire(limits.pinMs)).toBe(false);
  expect(pins.checkpoints).toEqual(['step-1']);
  expect(pins.expire(10 + limits.pinMs)).toBe(true);
  expect(pins.checkpoints).toEqual([]);
});

test('whoever reads every checkpoint keeps no more than the last of them', () => {
  const pins = new Pins();
  for (let step = 1; step <= 1_000; step += 1) {
    pins.touch('step-1', step);
    pins.touch(`step-${step}`, step);
  }
  expect(pins.checkpoints).toHaveLength(mostPinned);
  expect(pins.checkpoints).toContain('step-1');
  expect(pins.checkpoints).toContain('step-1000');
});
