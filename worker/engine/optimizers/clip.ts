import * as tf from '@tensorflow/tfjs-core';

export interface ClippedGradients {
  /** New tensors by the same names; the caller disposes. */
  readonly gradients: Readonly<Record<string, tf.Tensor>>;
  /** The global norm before clipping; the caller disposes. */
  readonly norm: tf.Scalar;
}

/**
 * Scales all gradients by one factor so that the norm of them together is at most `clipNorm`, as
 * Keras' `global_clipnorm` (Pascanu et al., 2013). The given gradients are not disposed.
 *
 * @param clipNorm above 0
 */
export function clipByGlobalNorm(
  gradients: Readonly<Record<string, tf.Tensor>>,
  clipNorm: number,
): ClippedGradients {
  return tf.tidy(() => {
    const squares = Object.values(gradients).map((gradient) =>
      tf.sum<tf.Scalar>(tf.square(gradient)),
    );
    const norm = tf.sqrt(tf.addN(squares));
    const factor = tf.div(clipNorm, tf.maximum(norm, clipNorm));
    const clipped = Object.entries(gradients).map(
      ([name, gradient]) => [name, tf.mul(gradient, factor)] as const,
    );
    return { gradients: Object.fromEntries(clipped), norm };
  });
}
