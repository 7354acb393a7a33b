import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../random.ts';
import type { Initializer } from './initializers.ts';
import type { StepResult } from './model.ts';

/** A weight to be made: its name, which is also its random stream's, its shape and its start. */
export type WeightSpecification = readonly [
  name: string,
  shape: readonly number[],
  initializer: Initializer,
];

/** Trainable variables by name, in order, initialised from a seed alike on every engine. */
export class Weights {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly #nameOfVariable = new Map<string, string>();

  constructor(seed: number, specifications: readonly WeightSpecification[]) {
    const variables = new Map<string, tf.Variable>();
    for (const [name, shape, initializer] of specifications) {
      const values = initializer(shape, createRandom(seed, `weights/${name}`));
      const variable = tf.tidy(() => tf.variable(tf.tensor(values, [...shape])));
      variables.set(name, variable);
      // tfjs' own names are unique in the process, so two models may live side by side.
      this.#nameOfVariable.set(variable.name, name);
    }
    this.variables = variables;
  }

  /** @throws Error for a name that was not specified; the caller states the rank that it specified. */
  get<T extends tf.Tensor = tf.Tensor2D>(name: string): T {
    const variable = this.variables.get(name);
    if (variable === undefined) {
      throw new Error(`No weight is named ${name}.`);
    }
    // A variable's type does not keep its rank; the caller knows it.
    return variable as tf.Tensor as T;
  }

  /**
   * Evaluates a scalar loss and its gradients by the weights' names. What `step` returns beside the
   * loss is kept; everything else that it made is disposed.
   */
  gradients(step: () => StepResult): StepResult & { gradients: Record<string, tf.Tensor> } {
    let metrics: StepResult['metrics'] = {};
    const { value, grads } = tf.variableGrads(() => {
      const result = step();
      metrics = result.metrics;
      for (const metric of Object.values(metrics)) {
        tf.keep(metric);
      }
      return result.loss;
    }, [...this.variables.values()]);
    const gradients: Record<string, tf.Tensor> = {};
    for (const [variable, gradient] of Object.entries(grads)) {
      gradients[this.#nameOfVariable.get(variable) ?? variable] = gradient;
    }
    return { loss: value, metrics, gradients };
  }

  dispose(): void {
    for (const variable of this.variables.values()) {
      variable.dispose();
    }
  }
}
