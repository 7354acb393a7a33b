import * as tf from '@tensorflow/tfjs-core';
import type { Formula, FormulaStep } from './formula.ts';

export interface AdamOptions {
  /** Decay of the mean gradient. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the mean squared gradient. Default: 0.999. */
  readonly beta2?: number;
  /** Added outside the root. Default: 1e-7. */
  readonly epsilon?: number;
}

/**
 * Adam (Kingma and Ba, 2015, section 2's last paragraph) as Keras 3 computes it: m += (g - m) ·
 * (1 - beta1), v += (g² - v) · (1 - beta2), w -= a · m / (sqrt(v) + epsilon), where at step t
 * a = learningRate · sqrt(1 - beta2^t) / (1 - beta1^t).
 */
export function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }: AdamOptions = {}): Formula {
  const stepSize = ({ learningRate, step }: FormulaStep) =>
    (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
  return {
    name: 'adam',
    slots: ['momentum', 'velocity'],
    kernel: 'TeletrainAdam',
    kernelNumbers: (step) => ({
      learningRate: stepSize(step),
      velocityDecay: beta2,
      velocityRest: 1 - beta2,
      momentumRest: 1 - beta1,
      epsilon,
    }),
    update(variable, slot, gradient, step) {
      tf.tidy(() => {
        const momentum = slot('momentum');
        const velocity = slot('velocity');
        const towards = (mean: tf.Variable, value: tf.Tensor, decay: number) =>
          mean.assign(tf.add(mean, tf.mul(tf.sub(value, mean), 1 - decay)));
        towards(momentum, gradient, beta1);
        towards(velocity, tf.square(gradient), beta2);
        const root = tf.add(tf.sqrt(velocity), epsilon);
        variable.assign(tf.sub(variable, tf.div(tf.mul(momentum, stepSize(step)), root)));
      });
    },
  };
}
