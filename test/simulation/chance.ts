/** Chance that can be had again: the same seed gives the same numbers (sfc32, PractRand). */
export class Chance {
  readonly #state: Uint32Array;

  constructor(...seed: readonly (number | string)[]) {
    this.#state = new Uint32Array(4);
    let hash = 2166136261;
    for (const letter of seed.join('/')) {
      hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
    }
    for (let index = 0; index < 3; index += 1) {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + index;
      this.#state[index] = hash ^ (hash >>> 13);
    }
    this.#state[3] = 1;
    for (let count = 0; count < 12; count += 1) this.#next();
  }

  /** At least 0, below 1. */
  readonly fraction = (): number => this.#next() / 2 ** 32;

  /** A whole number of at least 0, below `bound`. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  between(least: number, bound: number): number {
    return least + this.fraction() * (bound - least);
  }

  /** Mostly near the least, now and then far from it: each power of two as likely. */
  spread(least: number, bound: number): number {
    return least * (bound / least) ** this.fraction();
  }

  happens(probability: number): boolean {
    return this.fraction() < probability;
  }

  oneOf<Thing>(things: readonly Thing[]): Thing {
    // There is one: an empty list is a mistake of ours, and shows as such at once.
    return things[this.below(things.length)] as Thing;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  #next(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, counter = 0] = state;
    const sum = (a + b + counter) >>> 0;
    state[3] = counter + 1;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + sum;
    return sum;
  }
}
