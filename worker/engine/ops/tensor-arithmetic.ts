import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';

/**
 * The operations of a recurrence as plain tfjs calls, for every backend. Where a list is cast, tfjs
 * only reads it, and its types do not say so.
 */
export const tensorArithmetic: Arithmetic<tf.Tensor2D> = {
  fromTensor: (tensor) => tensor,
  toTensor: (matrix) => matrix,
  release: (...matrices) => tf.dispose(matrices as tf.Tensor2D[]),

  matMul: (a, b, transposeA = false, transposeB = false) => tf.matMul(a, b, transposeA, transposeB),
  zerosLike: (a) => tf.zerosLike(a),
  add: (a, b) => tf.add(a, b),
  addAll: (terms) => tf.addN(terms as tf.Tensor2D[]),
  multiply: (a, b) => tf.mul(a, b),
  tanh: (a) => tf.tanh(a),
  sigmoid: (a) => tf.sigmoid(a),
  tanhGradient: (y, dy) => tf.tidy(() => tf.sub(dy, tf.mul(dy, tf.mul(y, y)))),
  sigmoidGradient: (y, dy) => tf.tidy(() => tf.mul(dy, tf.sub(y, tf.mul(y, y)))),

  splitRows: (a, sizes) => tf.split(a, sizes as number[], 0),
  // tfjs returns a tensor of its own also where there is one part only.
  concatRows: (parts) => tf.concat(parts as tf.Tensor2D[], 0),
  splitColumns: (a, count) => tf.split(a, count, 1),
  concatColumns: (parts) => tf.concat(parts as tf.Tensor2D[], 1),
};
