import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom, type Random } from '../engine/random.ts';

/**
 * The examples that every participant of a case reads, as files. They are made, so that a benchmark
 * needs no download: reviews as long as IMDB's (log-normal, median 177 tokens, padded in front) with
 * word frequencies by Zipf's law, which gives a batch of 128 as many different words as the real
 * ones have (4,000); pictures with a fifth of their pixels set.
 */

/** A folder that is removed when its owner leaves. */
export class InputFolder implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async make(): Promise<InputFolder> {
    return new InputFolder(await mkdtemp(join(tmpdir(), 'teletrain-bench-')));
  }

  /** int32 tokens [batches, batch, timesteps], then int32 labels [batches, batch]. */
  async reviews(
    name: string,
    shape: { batches: number; batch: number; timesteps: number; vocabulary: number },
  ): Promise<string> {
    const random = createRandom(1, `benchmarks/reviews/${name}`);
    const examples = shape.batches * shape.batch;
    const numbers = new Int32Array(examples * shape.timesteps + examples);
    const words = zipf(shape.vocabulary);
    for (let example = 0; example < examples; example++) {
      const length = Math.min(shape.timesteps, Math.round(Math.exp(5.26 + 0.646 * normal(random))));
      const end = (example + 1) * shape.timesteps;
      for (let place = end - length; place < end; place++) numbers[place] = words(random.next());
    }
    const labels = numbers.subarray(examples * shape.timesteps);
    for (let example = 0; example < examples; example++) labels[example] = random.nextBelow(2);
    return await this.#write(name, numbers);
  }

  /** uint8 pixels 0 or 1 [pictures, 28, 28]. */
  async pictures(name: string, pictures: number): Promise<string> {
    const random = createRandom(1, `benchmarks/pictures/${name}`);
    const pixels = Uint8Array.from({ length: pictures * 28 * 28 }, () =>
      random.next() < 0.2 ? 1 : 0,
    );
    return await this.#write(name, pixels);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
  }

  async #write(name: string, values: Int32Array | Uint8Array): Promise<string> {
    const path = join(this.#path, name);
    await writeFile(path, values);
    return path;
  }
}

/** Word k of 1 ≤ k < vocabulary with a probability proportional to k to the power -1.1. */
function zipf(vocabulary: number): (uniform: number) => number {
  let sum = 0;
  const cumulative = Float64Array.from({ length: vocabulary - 1 }, (_, index) => {
    sum += (index + 1) ** -1.1;
    return sum;
  });
  return (uniform) => {
    let [low, high] = [0, cumulative.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] as number) < uniform * sum) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

/** Standard normal, by Box and Muller's transform. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
