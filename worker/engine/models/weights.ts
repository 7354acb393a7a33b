import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../random.ts';
import type { Gradient, TableGradient } from './gradients.ts';
import type { Initializer } from './initializers.ts';
import type { StepResult } from './model.ts';

/** A weight to be made: its name, which is also its random stream's, its shape and its start. */
export type WeightSpecification = readonly [
  name: string,
  shape: readonly number[],
  initializer: Initializer,
];

/** What a step read of a table before it began: it stands for the table in the step's gradients. */
export interface TableReading {
  readonly vectors: tf.Tensor;
  /** The table's gradient from that of the vectors, which stays the caller's. */
  gradient(dy: tf.Tensor): TableGradient;
}

/** Trainable variables by name, in order, initialised from a seed alike on every engine. */
export class Weights {
  readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(seed: number, specifications: readonly WeightSpecification[]) {
    const variables = new Map<string, tf.Variable>();
    for (const [name, shape, initializer] of specifications) {
      const values = initializer(shape, createRandom(seed, `weights/${name}`));
      const variable = tf.tidy(() => tf.variable(tf.tensor(values, [...shape])));
      variables.set(name, variable);
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
   *
   * @param readings by the names of tables that the step reads through them and in no other way
   */
  gradients(
    step: () => StepResult,
    readings: Readonly<Record<string, TableReading>> = {},
  ): StepResult & { gradients: Record<string, Gradient> } {
    let metrics: StepResult['metrics'] = {};
    const names = [...this.variables.keys()];
    const sources = [...this.variables].map(
      ([name, variable]) => readings[name]?.vectors ?? variable,
    );
    const { value, grads } = tf.valueAndGrads(() => {
      const result = step();
      metrics = result.metrics;
      for (const metric of Object.values(metrics)) {
        tf.keep(metric);
      }
      return result.loss;
    })(sources);
    const gradients: Record<string, Gradient> = {};
    for (const [place, gradient] of grads.entries()) {
      // As many gradients as sources, in their order.
      const name = names[place] as string;
      const reading = readings[name];
      gradients[name] = reading ? reading.gradient(gradient) : gradient;
      if (reading) gradient.dispose();
    }
    return { loss: value as tf.Scalar, metrics, gradients };
  }

  dispose(): void {
    for (const variable of this.variables.values()) {
      variable.dispose();
    }
  }
}
