import { describe, expect, it } from 'vitest';
import { binarize } from '../../../../../worker/engine/datasets/binarize.ts';

describe('drawing binary pictures from grey ones', () => {
  it('keeps black and white, and draws greys by their brightness', () => {
    for (const grey of [0, 1, 64, 128, 254, 255]) {
      const drawn = binarize(new Uint8Array(100_000).fill(grey), 'test');
      const share = drawn.reduce((sum, pixel) => sum + pixel, 0) / drawn.length;
      const deviation = Math.sqrt(((grey / 255) * (1 - grey / 255)) / drawn.length);
      expect(Math.abs(share - grey / 255)).toBeLessThanOrEqual(4 * deviation);
    }
  });

  it('draws the same every time, and a part as in the whole', () => {
    const grey = Uint8Array.from({ length: 5000 }, (_, index) => index % 256);
    const whole = binarize(grey, 'test');
    expect(binarize(grey, 'test')).toEqual(whole);
    expect(binarize(grey.subarray(0, 1234), 'test')).toEqual(whole.subarray(0, 1234));
    expect(binarize(grey, 'other')).not.toEqual(whole);
  });

  it('never changes between versions, since runs are compared across them', () => {
    const drawn = binarize(new Uint8Array(24).fill(128), 'mnist/train');
    expect(drawn.join('')).toMatchInlineSnapshot(`"010000010101110100001010"`);
  });
});
