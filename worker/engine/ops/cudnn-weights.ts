import * as tf from '@tensorflow/tfjs-core';
import type { GruWeights, LstmWeights, SimpleRnnWeights } from './recurrent-weights.ts';

/**
 * cuDNN takes a layer's parameters as one vector: for every gate its kernel as [units, features],
 * then for every gate its recurrent kernel as [units, units], then for every gate the bias of the
 * inputs' product, then those of the state's product. Packed by plain operations here, so that
 * tfjs' own gradients lead back to Keras' weights.
 */
function pack(
  kernel: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  biases: readonly tf.Tensor[],
  order: (gatesInRows: tf.Tensor) => tf.Tensor[] = (rows) => [rows],
): tf.Tensor1D {
  const flat = (tensor: tf.Tensor) => tf.reshape(tensor, [-1]);
  const parts = [
    ...order(tf.transpose(kernel)),
    ...order(tf.transpose(recurrentKernel)),
    ...biases.flatMap((bias) => order(flat(bias))),
  ];
  return tf.concat(parts.map(flat)) as tf.Tensor1D;
}

/** Keras has one bias; it stands for the inputs' product, and the state's product gets zeros. */
export function packSimpleRnn(weights: SimpleRnnWeights): tf.Tensor1D {
  const { kernel, recurrentKernel, bias } = weights;
  return pack(kernel, recurrentKernel, [bias, tf.zerosLike(bias)]);
}

/** cuDNN's order of the gates is Keras', i, f, c, o; the one bias as in `packSimpleRnn`. */
export function packLstm({ kernel, recurrentKernel, bias }: LstmWeights): tf.Tensor1D {
  return pack(kernel, recurrentKernel, [bias, tf.zerosLike(bias)]);
}

/**
 * Keras' order z, r, h becomes cuDNN's r, z, h.
 *
 * @param weights with `resetAfter`: cuDNN has no other GRU
 */
export function packGru({ kernel, recurrentKernel, bias }: GruWeights): tf.Tensor1D {
  const swap = (rows: tf.Tensor) => {
    const [z, r, h] = tf.split(rows, 3, 0) as [tf.Tensor, tf.Tensor, tf.Tensor];
    return [r, z, h];
  };
  return pack(kernel, recurrentKernel, tf.unstack(bias), swap);
}
