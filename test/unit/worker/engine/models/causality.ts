import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize } from '../../../../../worker/engine/ops/diagonal-order.ts';
import { randomTensor } from '../on-each-engine.ts';

export type Logits = (pictures: tf.Tensor4D) => tf.Tensor;

export interface Influence {
  /** Pairs (flipped pixel, logit not after it) where a bit of the logit changed; 0 when causal. */
  readonly leaks: number;
  /** Of the pairs (flipped pixel, later logit), those where the logit changed. */
  readonly seen: number;
  /** Whether the first pixel changed the last logit. */
  readonly reachesFromFirstToLast: boolean;
}

/**
 * Flips each of the given pixels of a random picture and compares all logits bit by bit. All flips
 * go through the network as one batch, against a batch of as many unchanged pictures, so that a
 * picture's place in the batch cannot change how it is computed.
 *
 * @param flipped pixels in raster order. Default: all.
 */
export function influence(
  logits: Logits,
  { rows, columns }: PictureSize,
  flipped: readonly number[] = Array.from({ length: rows * columns }, (_, pixel) => pixel),
): Influence {
  const cells = rows * columns;
  const picture = randomTensor('picture', [cells])
    .dataSync()
    .map((value) => Number(value > 0));
  const unchanged = new Float32Array(flipped.length * cells);
  const changed = new Float32Array(flipped.length * cells);
  flipped.forEach((pixel, copy) => {
    unchanged.set(picture, copy * cells);
    changed.set(picture, copy * cells);
    changed[copy * cells + pixel] = 1 - (picture[pixel] ?? 0);
  });
  const bits = (pictures: Float32Array) => {
    const batch = tf.tensor4d(pictures, [flipped.length, rows, columns, 1]);
    const values = logits(batch);
    const copy = Float32Array.from(values.dataSync());
    tf.dispose([batch, values]);
    return new Uint32Array(copy.buffer);
  };
  const [before, after] = [bits(unchanged), bits(changed)];
  let leaks = 0;
  let seen = 0;
  let reachesFromFirstToLast = false;
  flipped.forEach((pixel, copy) => {
    for (let logit = 0; logit < cells; logit++) {
      if (before[copy * cells + logit] !== after[copy * cells + logit]) {
        if (logit <= pixel) leaks++;
        else seen++;
        reachesFromFirstToLast ||= pixel === 0 && logit === cells - 1;
      }
    }
  });
  return { leaks, seen, reachesFromFirstToLast };
}

/** Gives every variable random values, also those that start as zeros. */
export function randomizeWeights(variables: ReadonlyMap<string, tf.Variable>, seed: number): void {
  tf.tidy(() => {
    for (const [name, variable] of variables) {
      variable.assign(randomTensor(`${seed} ${name}`, variable.shape, 0.7));
    }
  });
}
