import { createRandom } from '../random.ts';

/** Fixed for good: every run of every seed sees the same pictures, one static task. */
export const binarizationSeed = 2008;

/** What a run's record says of it. */
export const drawnOnce = `drawn once, seed ${binarizationSeed}`;

/**
 * Makes grey pictures binary as Salakhutdinov and Murray did (ICML 2008): each pixel is drawn once,
 * 1 with probability grey / 255. It is not their published sample, so its likelihoods compare with
 * "static" figures only approximately.
 * @param grey Pixels 0 to 255. Pixels 0 and 255 consume no draw; others one 32-bit draw each, in order.
 * @param stream Which sequence draws, by dataset and split ("mnist/train"), so that a split's
 *   pictures do not depend on the others'.
 */
export function binarize(grey: Uint8Array, stream: string): Uint8Array {
  const random = createRandom(binarizationSeed, `binarize/${stream}`);
  const binary = new Uint8Array(grey.length);
  for (let pixel = 0; pixel < grey.length; pixel += 1) {
    const value = grey[pixel] ?? 0;
    if (value === 255 || (value > 0 && random.nextUint32() * 255 < value * 0x100000000)) {
      binary[pixel] = 1;
    }
  }
  return binary;
}
