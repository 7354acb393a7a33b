import * as tf from '@tensorflow/tfjs-core';

/**
 * One product and one gradient with known values on the current backend, so that a broken engine
 * is found before a run begins. @throws Error naming what came out wrong.
 */
export function selfTest(): void {
  tf.tidy(() => {
    const left = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const right = tf.tensor2d([5, 6, 7, 8], [2, 2]);
    expectValues('a matrix product', tf.matMul(left, right), [19, 22, 43, 50]);
    const gradient = tf.grad((x: tf.Tensor) =>
      tf.sum(tf.square(tf.matMul(x as tf.Tensor2D, right))),
    );
    // d/dx sum((x·r)²) = 2 (x·r)·rᵀ
    expectValues('a gradient', gradient(left), [454, 618, 1030, 1402]);
  });
}

function expectValues(what: string, tensor: tf.Tensor, expected: readonly number[]): void {
  const values = [...tensor.dataSync()];
  if (values.length === expected.length && values.every((value, i) => value === expected[i]))
    return;
  throw new Error(`${what} came out as ${values.join(', ')}, not ${expected.join(', ')}`);
}
