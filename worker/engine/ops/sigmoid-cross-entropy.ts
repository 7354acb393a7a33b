import * as tf from '@tensorflow/tfjs-core';
import { differentiable } from './custom-gradient.ts';

/**
 * -log p(target) in nats of each element, where p(1) = sigmoid(logit): max(l, 0) - l · t +
 * log(1 + exp(-|l|)), which never overflows. Its gradient with respect to the logit is
 * sigmoid(l) - t.
 *
 * @param targets 0 or 1 (or a probability), of the logits' shape
 */
export function sigmoidCrossEntropy<T extends tf.Tensor>(logits: T, targets: tf.Tensor): T {
  return differentiable<T, [T, tf.Tensor]>([logits], {
    forward() {
      const tail = tf.log1p(tf.exp(tf.neg(tf.abs(logits))));
      const value: T = tf.add(tf.sub(tf.relu(logits), tf.mul(logits, targets)), tail);
      return { value, saved: [logits, targets] };
    },
    gradient: (dy, [logits, targets]) => [tf.mul(dy, tf.sub(tf.sigmoid(logits), targets))],
  });
}
