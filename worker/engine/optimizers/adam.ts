import * as tf from '@tensorflow/tfjs-core';
import type { StatefulOptimizer } from '../models/model.ts';
import { Slots } from './slots.ts';

export interface AdamOptions {
  /** Default: 0.001. */
  readonly learningRate?: number;
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
export class Adam implements StatefulOptimizer {
  learningRate: number;
  #iterations = 0;
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #slots: Slots;

  constructor(variables: ReadonlyMap<string, tf.Variable>, options: AdamOptions = {}) {
    const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
    this.learningRate = learningRate;
    this.#beta1 = beta1;
    this.#beta2 = beta2;
    this.#epsilon = epsilon;
    this.#slots = new Slots('adam', ['momentum', 'velocity'], variables);
  }

  get iterations(): number {
    return this.#iterations;
  }

  apply(
    variables: ReadonlyMap<string, tf.Variable>,
    gradients: Readonly<Record<string, tf.Tensor>>,
  ): void {
    const step = this.#iterations + 1;
    const unbiased = Math.sqrt(1 - this.#beta2 ** step) / (1 - this.#beta1 ** step);
    for (const [name, variable] of variables) {
      const gradient = gradients[name];
      if (gradient !== undefined) {
        const momentum = this.#slots.of(name, 'momentum');
        const velocity = this.#slots.of(name, 'velocity');
        this.#update(variable, momentum, velocity, gradient, this.learningRate * unbiased);
      }
    }
    this.#iterations = step;
  }

  slots(): ReadonlyMap<string, tf.Tensor> {
    return this.#slots.all();
  }

  restore(iterations: number, slots: ReadonlyMap<string, tf.Tensor>): void {
    this.#slots.restore(slots);
    this.#iterations = iterations;
  }

  dispose(): void {
    this.#slots.dispose();
  }

  #update(
    variable: tf.Variable,
    momentum: tf.Variable,
    velocity: tf.Variable,
    gradient: tf.Tensor,
    stepSize: number,
  ): void {
    tf.tidy(() => {
      const towards = (mean: tf.Variable, value: tf.Tensor, decay: number) =>
        mean.assign(tf.add(mean, tf.mul(tf.sub(value, mean), 1 - decay)));
      towards(momentum, gradient, this.#beta1);
      towards(velocity, tf.square(gradient), this.#beta2);
      const root = tf.add(tf.sqrt(velocity), this.#epsilon);
      variable.assign(tf.sub(variable, tf.div(tf.mul(momentum, stepSize), root)));
    });
  }
}
