import type * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

const distance = 1e-5;

/**
 * Holds gradients to what a function in double precision does where each of its numbers is moved a
 * little to either side.
 * @param numbers of each input, which `loss` reads; they are as before when this returns.
 * @param tolerance absolute.
 */
export function expectGradientsOf(
  loss: () => number,
  numbers: readonly Float64Array[],
  gradients: readonly tf.Tensor[],
  tolerance: number,
): void {
  gradients.forEach((gradient, which) => {
    const moved = numbers[which] ?? new Float64Array();
    gradient.dataSync().forEach((shown, place) => {
      const here = moved[place] ?? Number.NaN;
      const at = (offset: number) => {
        moved[place] = here + offset;
        return loss();
      };
      const difference = (at(distance) - at(-distance)) / (2 * distance);
      moved[place] = here;
      expect(Math.abs(difference - shown)).toBeLessThan(tolerance);
    });
  });
}
