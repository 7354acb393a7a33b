import * as tf from '@tensorflow/tfjs-core';

/**
 * The gradient of a table of which a step read some rows: that of all others is zero. It is sparse so
 * that a step costs what it read and not what the vocabulary holds.
 */
export interface TableGradient {
  /** int32 [touched], ascending and distinct */
  readonly rows: tf.Tensor1D;
  /** [touched, units], all that the step's reads of a row give together */
  readonly values: tf.Tensor2D;
}

export type Gradient = tf.Tensor | TableGradient;

/** By the variable's name. */
export type Gradients = Readonly<Record<string, Gradient>>;

export function isTableGradient(gradient: Gradient): gradient is TableGradient {
  return !(gradient instanceof tf.Tensor);
}

/** The gradient as a new tensor of the variable's shape; the caller disposes. */
export function denseGradient(gradient: Gradient, shape: readonly number[]): tf.Tensor {
  if (!isTableGradient(gradient)) return tf.clone(gradient);
  return tf.tidy(() => {
    const { rows, values } = gradient;
    return tf.scatterND(tf.reshape(rows, [rows.size, 1]), values, [...shape]);
  });
}

/** Those of a map of gradients, of the variables by their names. */
export function disposeGradients(gradients: Gradients): void {
  for (const gradient of Object.values(gradients)) {
    if (isTableGradient(gradient)) tf.dispose([gradient.rows, gradient.values]);
    else gradient.dispose();
  }
}
