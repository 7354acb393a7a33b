import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';

/** The operations of a recurrence as plain tfjs calls, for every backend. */
export const tensorArithmetic: Arithmetic<tf.Tensor2D> = arithmeticOver<tf.Tensor2D>(0);

/** The same over stacks of matrices, [stack, rows, columns]. */
export const tensorStackArithmetic: Arithmetic<tf.Tensor3D, tf.Tensor3D> =
  arithmeticOver<tf.Tensor3D>(1);

/**
 * Where a list is cast, tfjs only reads it, and its types do not say so.
 *
 * @param rows the axis of a matrix's rows; its columns follow
 */
function arithmeticOver<T extends tf.Tensor2D | tf.Tensor3D>(rows: number): Arithmetic<T, T> {
  return {
    fromTensor: (tensor) => tensor,
    toTensor: (matrix) => matrix,
    release: (...matrices) => tf.dispose(matrices as T[]),

    matMul: (a, b, transposeA = false, transposeB = false) =>
      tf.matMul(a, b, transposeA, transposeB),
    zerosLike: (a) => tf.zerosLike(a),
    add: (a, b) => tf.add(a, b),
    addAll: (terms) => tf.addN(terms as T[]),
    multiply: (a, b) => tf.mul(a, b),
    tanh: (a) => tf.tanh(a),
    sigmoid: (a) => tf.sigmoid(a),
    tanhGradient: (y, dy) => tf.tidy(() => tf.sub(dy, tf.mul(dy, tf.mul(y, y)))),
    sigmoidGradient: (y, dy) => tf.tidy(() => tf.mul(dy, tf.sub(y, tf.mul(y, y)))),

    splitRows: (a, sizes) => tf.split(a, sizes as number[], rows),
    // tfjs returns a tensor of its own also where there is one part only.
    concatRows: (parts) => tf.concat(parts as T[], rows),
    splitColumns: (a, count) => tf.split(a, count, rows + 1),
    concatColumns: (parts) => tf.concat(parts as T[], rows + 1),
  };
}
