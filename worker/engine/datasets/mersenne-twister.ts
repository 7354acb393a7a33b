/**
 * MT19937 (Matsumoto and Nishimura, ACM TOMACS 8(1), 1998) as `numpy.random.RandomState` seeds and
 * uses it, for what Keras shuffles with it. Nothing else in teletrain draws from it.
 */
const stateSize = 624;
const shiftSize = 397;

export class MersenneTwister {
  readonly #key = new Uint32Array(stateSize);
  #position = stateSize;

  /** `init_genrand`, as `RandomState(seed)` for an integer in [0, 2^32). */
  constructor(seed: number) {
    let word = seed >>> 0;
    for (let index = 0; index < stateSize; index += 1) {
      this.#key[index] = word;
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + index + 1) >>> 0;
    }
  }

  /** Uniform integer in [0, 2^32). */
  nextUint32(): number {
    if (this.#position === stateSize) {
      this.#generate();
    }
    let word = this.#key[this.#position] ?? 0;
    this.#position += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    word ^= word >>> 18;
    return word >>> 0;
  }

  /**
   * Uniform integer in [0, max] as numpy's legacy `random_interval` draws it: 32 bits masked to the
   * smallest 2^k - 1 that holds max, drawn again while above it. Nothing is drawn for max 0.
   */
  nextInterval(max: number): number {
    if (max === 0) {
      return 0;
    }
    const mask = 0xffffffff >>> Math.clz32(max);
    let value = (this.nextUint32() & mask) >>> 0;
    while (value > max) {
      value = (this.nextUint32() & mask) >>> 0;
    }
    return value;
  }

  /** Shuffles in place, equal to `RandomState.shuffle` of a one-dimensional array. */
  shuffle(values: Uint32Array): void {
    for (let last = values.length - 1; last > 0; last -= 1) {
      const chosen = this.nextInterval(last);
      const moved = values[last] ?? 0;
      values[last] = values[chosen] ?? 0;
      values[chosen] = moved;
    }
  }

  #generate(): void {
    const key = this.#key;
    for (let index = 0; index < stateSize; index += 1) {
      const joined =
        ((key[index] ?? 0) & 0x80000000) | ((key[(index + 1) % stateSize] ?? 0) & 0x7fffffff);
      const mixed = (key[(index + shiftSize) % stateSize] ?? 0) ^ (joined >>> 1);
      key[index] = (joined & 1) === 0 ? mixed : mixed ^ 0x9908b0df;
    }
    this.#position = 0;
  }
}
