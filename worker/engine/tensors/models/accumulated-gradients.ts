import * as tf from '@tensorflow/tfjs-core';
import {
  denseGradient,
  disposeGradients,
  type Gradient,
  type Gradients,
  isTableGradient,
} from '../../models/gradients.ts';

/** The sum of the gradients of several batches, by the variables' names; it owns them. */
export class AccumulatedGradients {
  readonly #shapes: ReadonlyMap<string, tf.Tensor>;
  #sums: Record<string, Gradient> | undefined;

  /** @param variables whose gradients they are */
  constructor(variables: ReadonlyMap<string, tf.Variable>) {
    this.#shapes = variables;
  }

  get isEmpty(): boolean {
    return this.#sums === undefined;
  }

  get bytes(): number {
    return Object.values(this.#sums ?? {}).reduce((sum, gradient) => sum + bytesOf(gradient), 0);
  }

  /** Takes the gradients over. A first one is kept as it is, so that one batch is one step's bits. */
  add(gradients: Gradients): void {
    const sums = this.#sums;
    this.#sums = { ...gradients };
    if (sums === undefined) return;
    for (const [name, variable] of this.#shapes) {
      const [sum, gradient] = [sums[name], gradients[name]];
      if (sum && gradient) {
        this.#sums[name] = tf.tidy(() =>
          tf.add(denseGradient(sum, variable.shape), denseGradient(gradient, variable.shape)),
        );
        disposeGradients({ sum, gradient });
      } else if (sum) this.#sums[name] = sum;
    }
  }

  /** The sums times a factor, for reading only and until they change. */
  scaled<Result>(factor: number, use: (gradients: Gradients) => Result): Result {
    const sums = this.#sums ?? {};
    if (factor === 1) return use(sums);
    const scaled: Record<string, Gradient> = {};
    for (const [name, gradient] of Object.entries(sums)) {
      scaled[name] = isTableGradient(gradient)
        ? { rows: gradient.rows.clone(), values: tf.mul(gradient.values, factor) }
        : tf.mul(gradient, factor);
    }
    try {
      return use(scaled);
    } finally {
      disposeGradients(scaled);
    }
  }

  clear(): void {
    if (this.#sums) disposeGradients(this.#sums);
    this.#sums = undefined;
  }
}

/** The norm of all gradients together. */
export function globalNorm(gradients: Gradients): number {
  const norm = tf.tidy(() => {
    const squares = Object.values(gradients).map((gradient) =>
      tf.sum(tf.square(isTableGradient(gradient) ? gradient.values : gradient)),
    );
    return tf.sqrt(tf.addN(squares));
  });
  const [value = Number.NaN] = norm.dataSync();
  norm.dispose();
  return value;
}

function bytesOf(gradient: Gradient): number {
  return isTableGradient(gradient)
    ? 4 * (gradient.rows.size + gradient.values.size)
    : 4 * gradient.size;
}
