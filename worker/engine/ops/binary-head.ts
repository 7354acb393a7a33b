import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.ts';

/** A Dense layer of one unit. */
export interface BinaryHeadWeights {
  /** [features, 1] */
  readonly kernel: tf.Tensor2D;
  /** [1] */
  readonly bias: tf.Tensor1D;
}

export interface BinaryHeadResult {
  /** Mean cross-entropy of sigmoid(logit) in nats an example. */
  readonly loss: tf.Scalar;
  /** Keras' binary accuracy: the share for which (probability > 0.5) equals the target. No gradient. */
  readonly accuracy: tf.Scalar;
}

/** [batch, 1] from [batch, features]. */
export function binaryLogits(features: tf.Tensor2D, { kernel, bias }: BinaryHeadWeights) {
  return tf.add<tf.Tensor2D>(tf.matMul(features, kernel), bias);
}

/**
 * Dense(1) with a sigmoid, its loss and accuracy: Keras' last layer of a classifier of two classes. On
 * the native engine's CPU one operation each way, elsewhere plain ones.
 *
 * @param features [batch, features]
 * @param targets 0 or 1, int32 or float32, [batch] or [batch, 1]
 */
export function binaryHead(
  features: tf.Tensor2D,
  weights: BinaryHeadWeights,
  targets: tf.Tensor,
): BinaryHeadResult {
  const [batch] = features.shape;
  const native = chooseKernels('best');
  if (native === undefined) return composedBinaryHead(features, weights, targets);
  const { kernel, bias } = weights;
  const given = targets.rank === 1 ? targets : tf.reshape(targets, [batch]);
  const [loss, accuracy, logitsGradient] = native.runOnTensors(
    'TeletrainBinaryHead',
    [],
    [features, kernel, bias, given],
    3,
  ) as [tf.Scalar, tf.Scalar, tf.Tensor1D];
  const differentiableLoss = differentiable([features, kernel, bias], {
    forward: () => ({ value: loss, saved: [features, kernel, logitsGradient] }),
    gradient: (dy, saved) => native.runOnTensors('TeletrainBinaryHeadGrad', [], [...saved, dy], 3),
  });
  return { loss: differentiableLoss, accuracy };
}

function composedBinaryHead(
  features: tf.Tensor2D,
  weights: BinaryHeadWeights,
  targets: tf.Tensor,
): BinaryHeadResult {
  const logits = binaryLogits(features, weights);
  const expected = tf.cast(tf.reshape(targets, logits.shape), 'float32');
  const predicted = tf.cast(tf.greater(logits, 0), 'float32');
  return {
    loss: tf.mean(sigmoidCrossEntropy(logits, expected)),
    accuracy: tf.mean(tf.cast(tf.equal(predicted, expected), 'float32')),
  };
}
