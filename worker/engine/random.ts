/**
 * Random numbers that are the same on every machine and whose state fits in a checkpoint.
 *
 * The generator is xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM TOMS 47(4), 2021), seeded by SplitMix64 as its authors advise. It is no source of
 * secrets.
 */
export interface Random {
  /** Uniform in [0, 1) with 53 random bits; consumes two 32-bit draws, the high bits first. */
  next(): number;
  /** Uniform integer in [0, 2^32). */
  nextUint32(): number;
  /** Uniform integer in [0, bound), 1 <= bound <= 2^32, without bias. */
  nextBelow(bound: number): number;
  /** The whole state, as 32 hexadecimal digits; survives JSON. */
  state(): string;
  /** Goes back to a state that `state()` gave. @throws RangeError on any other text. */
  restore(state: string): void;
}

/**
 * @param seed An integer in [0, 2^32).
 * @param stream Names an independent sequence of the same seed ("order/3", "sampling"), so that one
 *   use of random numbers never shifts another's. Default: the seed's own sequence, which is
 *   SplitMix64(seed)'s first two outputs, each giving its low and then its high half.
 */
export function createRandom(seed: number, stream?: string): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`A seed is an integer from 0 to 2^32 - 1, not ${seed}.`);
  }
  const splitMix = splitMix64(stream === undefined ? BigInt(seed) : streamSeed(seed, stream));
  const first = splitMix();
  const second = splitMix();
  return new Xoshiro128StarStar([
    Number(BigInt.asUintN(32, first)),
    Number(first >> 32n),
    Number(BigInt.asUintN(32, second)),
    Number(second >> 32n),
  ]);
}

const statePattern = /^[0-9a-f]{32}$/;

/** Takes its four state words as they are: the form in which the authors publish test vectors. */
export class Xoshiro128StarStar implements Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  constructor(words: readonly [number, number, number, number]) {
    this.#set(words);
  }

  nextUint32(): number {
    const scaled = Math.imul(this.#b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  next(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  nextBelow(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 0x100000000) {
      throw new RangeError(`A bound is an integer from 1 to 2^32, not ${bound}.`);
    }
    // Draws from the last, incomplete multiple of the bound would favour small results.
    const limit = 0x100000000 - (0x100000000 % bound);
    let value = this.nextUint32();
    while (value >= limit) {
      value = this.nextUint32();
    }
    return value % bound;
  }

  state(): string {
    return [this.#a, this.#b, this.#c, this.#d]
      .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
      .join('');
  }

  restore(state: string): void {
    if (!statePattern.test(state)) {
      throw new RangeError(`"${state}" is not a random state: 32 hexadecimal digits.`);
    }
    const word = (index: number) => Number.parseInt(state.slice(8 * index, 8 * index + 8), 16);
    this.#set([word(0), word(1), word(2), word(3)]);
  }

  #set([a, b, c, d]: readonly [number, number, number, number]): void {
    if ((a | b | c | d) === 0) {
      throw new RangeError('A random state of zeros only gives zeros.');
    }
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#d = d | 0;
  }
}

/** Vigna's SplitMix64: unsigned 64-bit outputs. */
export function splitMix64(seed: bigint): () => bigint {
  let state = BigInt.asUintN(64, seed);
  return () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
  };
}

/** 64-bit FNV-1a of the stream's name in UTF-8, a zero byte, and the seed's four bytes, low first. */
function streamSeed(seed: number, stream: string): bigint {
  const seedBytes = [seed & 255, (seed >>> 8) & 255, (seed >>> 16) & 255, seed >>> 24];
  let hash = 0xcbf29ce484222325n;
  for (const byte of [...new TextEncoder().encode(stream), 0, ...seedBytes]) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}
