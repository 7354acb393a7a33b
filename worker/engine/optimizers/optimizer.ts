import * as tf from '@tensorflow/tfjs-core';
import { denseGradient, type Gradient, type Gradients } from '../models/gradients.ts';
import type { StatefulOptimizer } from '../models/model.ts';
import { chooseKernels } from '../ops/choose.ts';
import { clipByGlobalNorm } from './clip.ts';
import type { Formula } from './formula.ts';
import { KernelSteps, type OptimizedVariable } from './kernel-step.ts';
import { Slots } from './slots.ts';

export interface OptimizerOptions {
  /** Default: 0.001. */
  readonly learningRate?: number;
  /**
   * Keras' `ema_momentum`: after every step, average = momentum · average + (1 - momentum) · weights,
   * where the first average is the weights after the first step. Default: 0, no averages are kept.
   */
  readonly averageMomentum?: number;
}

/**
 * Updates variables by a formula, keeps its slots and, where asked to, the moving averages of the
 * weights. On the native engine's CPU one operation over all variables, which changes them in place
 * (see OwnMemory); elsewhere plain tfjs operations, which are also what the kernels are tested by.
 */
export class Optimizer implements StatefulOptimizer {
  learningRate: number;
  readonly #formula: Formula;
  readonly #averageMomentum: number;
  readonly #slots: Slots;
  readonly #optimized = new Map<string, OptimizedVariable>();
  #iterations = 0;
  #kernels: KernelSteps | undefined;

  constructor(
    formula: Formula,
    variables: ReadonlyMap<string, tf.Variable>,
    { learningRate = 0.001, averageMomentum = 0 }: OptimizerOptions = {},
  ) {
    this.learningRate = learningRate;
    this.#formula = formula;
    this.#averageMomentum = averageMomentum;
    const slots = averageMomentum > 0 ? [...formula.slots, 'average'] : formula.slots;
    this.#slots = new Slots(formula.name, slots, variables);
    for (const [name, variable] of variables) {
      const average = averageMomentum > 0 ? this.#slots.of(name, 'average') : undefined;
      average?.assign(variable);
      this.#optimized.set(name, {
        name,
        variable,
        velocity: this.#slots.of(name, 'velocity'),
        ...(formula.slots.includes('momentum') && { momentum: this.#slots.of(name, 'momentum') }),
        ...(average && { average }),
      });
    }
  }

  get iterations(): number {
    return this.#iterations;
  }

  apply(gradients: Gradients, clipNorm = 0): void {
    const updated = [...this.#optimized.values()].flatMap((optimized) => {
      const gradient = gradients[optimized.name];
      return gradient === undefined ? [] : [{ ...optimized, gradient }];
    });
    const kernels = this.#chooseKernels();
    if (kernels) kernels.step(updated, this.#kernelStep(clipNorm));
    else this.#applyPlainly(updated, clipNorm);
    this.#iterations++;
  }

  slots(): ReadonlyMap<string, tf.Tensor> {
    this.#settle();
    return this.#slots.all();
  }

  restore(iterations: number, slots: ReadonlyMap<string, tf.Tensor>): void {
    this.#slots.restore(slots);
    this.#kernels?.forget();
    this.#iterations = iterations;
  }

  async withAverages<Result>(body: () => Promise<Result>): Promise<Result> {
    this.#exchangeAverages();
    try {
      return await body();
    } finally {
      this.#exchangeAverages();
    }
  }

  dispose(): void {
    this.#kernels?.forget();
    this.#slots.dispose();
  }

  #exchangeAverages(): void {
    this.#settle();
    for (const { variable, average } of this.#optimized.values()) {
      if (average) {
        const weights = tf.clone(variable);
        variable.assign(average);
        average.assign(weights);
        weights.dispose();
      }
    }
  }

  #settle(): void {
    this.#kernels?.settle(this.#kernelStep(0));
  }

  #kernelStep(clipNorm: number) {
    const { learningRate } = this;
    return {
      numbers: this.#formula.kernelNumbers({ learningRate, step: this.#iterations + 1 }),
      iterations: this.#iterations,
      clipNorm,
      averageMomentum: this.#averageMomentum,
    };
  }

  /** Undefined where plain operations are to be used, which know nothing of rows that missed steps. */
  #chooseKernels(): KernelSteps | undefined {
    const native = chooseKernels('best');
    if (native === undefined) this.#settle();
    else if (this.#kernels?.native !== native)
      this.#kernels = new KernelSteps(native, this.#formula);
    return native && this.#kernels;
  }

  #applyPlainly(
    updated: readonly (OptimizedVariable & { readonly gradient: Gradient })[],
    clipNorm: number,
  ): void {
    tf.tidy(() => {
      const dense = Object.fromEntries(
        updated.map(({ name, variable, gradient }) => [
          name,
          denseGradient(gradient, variable.shape),
        ]),
      );
      const gradients = clipNorm > 0 ? clipByGlobalNorm(dense, clipNorm).gradients : dense;
      const step = { learningRate: this.learningRate, step: this.#iterations + 1 };
      for (const { name, variable, average } of updated) {
        // As many gradients as variables: both were made from the same list.
        const gradient = gradients[name] as tf.Tensor;
        this.#formula.update(variable, (slot) => this.#slots.of(name, slot), gradient, step);
        if (average) this.#average(average, variable);
      }
    });
  }

  #average(average: tf.Variable, weights: tf.Variable): void {
    const momentum = this.#iterations === 0 ? 0 : this.#averageMomentum;
    const kept = tf.mul(average, momentum);
    average.assign(tf.add(kept, tf.mul(weights, 1 - momentum)));
  }
}
