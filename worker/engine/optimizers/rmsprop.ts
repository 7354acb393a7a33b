import * as tf from '@tensorflow/tfjs-core';
import type { Formula } from './formula.ts';

export interface RmspropOptions {
  /** Decay of the mean of squared gradients. Default: 0.9. */
  readonly rho?: number;
  /** Added within the root. Default: 1e-7. */
  readonly epsilon?: number;
}

/**
 * Keras 3's RMSprop without momentum and centring:
 * v = rho · v + (1 - rho) · g², w = w - learningRate · g / sqrt(v + epsilon).
 */
export function rmsprop({ rho = 0.9, epsilon = 1e-7 }: RmspropOptions = {}): Formula {
  return {
    name: 'rmsprop',
    slots: ['velocity'],
    kernel: 'TeletrainRMSprop',
    kernelNumbers: ({ learningRate }) => ({
      learningRate,
      velocityDecay: rho,
      velocityRest: 1 - rho,
      momentumRest: 0,
      epsilon,
    }),
    update(variable, slot, gradient, { learningRate }) {
      tf.tidy(() => {
        const velocity = slot('velocity');
        const remembered = tf.mul(velocity, rho);
        velocity.assign(tf.add(remembered, tf.mul(tf.square(gradient), 1 - rho)));
        const root = tf.sqrt(tf.add(velocity, epsilon));
        variable.assign(tf.sub(variable, tf.div(tf.mul(gradient, learningRate), root)));
      });
    },
  };
}
