import * as tf from '@tensorflow/tfjs-core';
import type { StatefulOptimizer } from '../models/model.ts';
import { Slots } from './slots.ts';

export interface RmspropOptions {
  /** Default: 0.001. */
  readonly learningRate?: number;
  /** Decay of the mean of squared gradients. Default: 0.9. */
  readonly rho?: number;
  /** Added within the root. Default: 1e-7. */
  readonly epsilon?: number;
}

/**
 * Keras 3's RMSprop without momentum and centring:
 * v = rho · v + (1 - rho) · g², w = w - learningRate · g / sqrt(v + epsilon).
 */
export class Rmsprop implements StatefulOptimizer {
  learningRate: number;
  #iterations = 0;
  readonly #rho: number;
  readonly #epsilon: number;
  readonly #slots: Slots;

  constructor(variables: ReadonlyMap<string, tf.Variable>, options: RmspropOptions = {}) {
    const { learningRate = 0.001, rho = 0.9, epsilon = 1e-7 } = options;
    this.learningRate = learningRate;
    this.#rho = rho;
    this.#epsilon = epsilon;
    this.#slots = new Slots('rmsprop', ['velocity'], variables);
  }

  get iterations(): number {
    return this.#iterations;
  }

  apply(
    variables: ReadonlyMap<string, tf.Variable>,
    gradients: Readonly<Record<string, tf.Tensor>>,
  ): void {
    for (const [name, variable] of variables) {
      const gradient = gradients[name];
      if (gradient !== undefined) {
        this.#update(variable, this.#slots.of(name, 'velocity'), gradient);
      }
    }
    this.#iterations++;
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

  #update(variable: tf.Variable, velocity: tf.Variable, gradient: tf.Tensor): void {
    tf.tidy(() => {
      const remembered = tf.mul(velocity, this.#rho);
      velocity.assign(tf.add(remembered, tf.mul(tf.square(gradient), 1 - this.#rho)));
      const root = tf.sqrt(tf.add(velocity, this.#epsilon));
      variable.assign(tf.sub(variable, tf.div(tf.mul(gradient, this.learningRate), root)));
    });
  }
}
