import { createRandom, type Random } from '../random.ts';

/**
 * The order in which an epoch visits its examples: a permutation of 0..count-1 that follows from
 * (seed, epoch) alone, so a resumed run needs only its place within the epoch.
 * @param epoch Counted from 0.
 */
export function epochOrder(seed: number, epoch: number, count: number): Uint32Array {
  return permutation(createRandom(seed, `order/${epoch}`), count);
}

/** A uniform permutation of 0..count-1 by Fisher and Yates, from the last place down. */
export function permutation(random: Random, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last -= 1) {
    const chosen = random.nextBelow(last + 1);
    const moved = order[last] ?? 0;
    order[last] = order[chosen] ?? 0;
    order[chosen] = moved;
  }
  return order;
}
