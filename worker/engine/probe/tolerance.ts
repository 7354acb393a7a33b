import * as tf from '@tensorflow/tfjs-core';

/** How far an implementation may be from the reference, relative to a tensor's largest value. */
export interface Tolerance {
  readonly relative: number;
  /** Whether the products' factors are rounded to TF32, with 10 bits instead of float32's 23. */
  readonly tf32: boolean;
}

/**
 * GPUs since NVIDIA's Ampere round the factors of matrix products to TF32 unless TensorFlow is told
 * otherwise, each by up to 2^-11; cuDNN obeys the same setting. The reference is computed exactly, so
 * where a product shows that rounding, sums of rounded products over a few timesteps must be
 * accepted, which lie about a thousandth apart. A fault is larger: a gradient that is wrong by a
 * hundredth is still found.
 */
export function toleranceHere(): Tolerance {
  const tf32 = roundsFactors();
  return { relative: tf32 ? 5e-3 : 1e-4, tf32 };
}

/**
 * Whether 1 + 2^-12, which float32 holds and TF32 does not, comes out of a product as it went in. The
 * product is large enough that a GPU does not compute it by another way than a layer's.
 */
function roundsFactors(): boolean {
  const size = 128;
  const value = 1 + 2 ** -12;
  return tf.tidy(() => {
    const product = tf.matMul(tf.fill([size, size], value), tf.eye(size));
    return product.dataSync().some((number) => number !== value);
  });
}
