import * as tf from '@tensorflow/tfjs-core';
import { metrics } from '@tensorflow/tfjs-layers';
import type { TeletrainError } from '../../../../shared/errors.ts';
import type { LossName } from '../../../../shared/tensors/losses.ts';
import { sigmoidCrossEntropy } from '../../ops/sigmoid-cross-entropy.ts';
import { describeTensor } from '../tensor-bytes.ts';
import { badBatch } from './network.ts';

type Loss = (targets: tf.Tensor, outputs: tf.Tensor) => tf.Tensor;

/** Keras' smallest probability. */
const epsilon = 1e-7;

const losses: Readonly<Record<LossName, Loss>> = {
  meanSquaredError: alike(metrics.meanSquaredError),
  meanAbsoluteError: alike(metrics.meanAbsoluteError),
  binaryCrossentropy: alike(metrics.binaryCrossentropy),
  categoricalCrossentropy: alike(metrics.categoricalCrossentropy),
  sparseCategoricalCrossentropy: (targets, outputs) =>
    // tfjs-layers clips the probabilities here, too, before it scales them.
    metrics.categoricalCrossentropy(
      oneHot(targets, outputs),
      tf.clipByValue(outputs, epsilon, 1 - epsilon),
    ),
  binaryCrossentropyFromLogits: alike((targets, outputs) =>
    tf.mean(sigmoidCrossEntropy(outputs, targets), -1),
  ),
  categoricalCrossentropyFromLogits: alike(fromLogits),
  sparseCategoricalCrossentropyFromLogits: (targets, outputs) =>
    fromLogits(oneHot(targets, outputs), outputs),
};

/**
 * The mean of a loss over a batch, a scalar.
 * @throws TeletrainError `bad-batch` where targets do not fit the outputs.
 */
export function meanLoss(name: LossName, targets: tf.Tensor, outputs: tf.Tensor): tf.Scalar {
  return tf.mean(losses[name](targets, outputs));
}

function fromLogits(targets: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1));
}

/** tfjs would broadcast targets [batch] against outputs [batch, 1], which gives a loss of nothing. */
function alike(loss: Loss): Loss {
  return (targets, outputs) => {
    if (targets.shape.join() !== outputs.shape.join() || targets.dtype === 'string') {
      throw badTargets(targets, `the outputs', [${outputs.shape}]`);
    }
    return loss(tf.cast(targets, 'float32'), outputs);
  };
}

function oneHot(targets: tf.Tensor, outputs: tf.Tensor): tf.Tensor {
  const classes = outputs.shape.at(-1) ?? 0;
  const expected = outputs.shape.slice(0, -1);
  if (![`${expected}`, `${[...expected, 1]}`].includes(`${targets.shape}`)) {
    throw badTargets(targets, `[${expected}]`);
  }
  const flat = tf.cast(tf.reshape(targets, [targets.size]), 'int32');
  const [smallest = 0] = tf.min(flat).dataSync();
  const [largest = 0] = tf.max(flat).dataSync();
  if (smallest < 0 || largest >= classes) {
    throw badBatch(
      `The targets are classes 0 to ${classes - 1}; these are ${smallest} to ${largest}.`,
      'Count classes from 0, or give the last layer more units.',
    );
  }
  return tf.reshape(tf.cast(tf.oneHot(flat, classes), 'float32'), outputs.shape);
}

function badTargets(targets: tf.Tensor, shape: string): TeletrainError {
  return badBatch(
    `The shape of the targets is not ${shape}; they are ${describeTensor(targets)}.`,
    'Reshape the targets.',
  );
}
