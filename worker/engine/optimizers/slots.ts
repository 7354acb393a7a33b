import * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../shared/errors.ts';

/** The tensors that an optimizer keeps for each variable, zeros at first as in Keras. */
export class Slots {
  readonly #optimizer: string;
  readonly #slots = new Map<string, tf.Variable>();

  /** @param optimizer first part of every slot's name: `<optimizer>/<variable>/<slot>` */
  constructor(
    optimizer: string,
    slots: readonly string[],
    variables: ReadonlyMap<string, tf.Variable>,
  ) {
    this.#optimizer = optimizer;
    for (const [name, variable] of variables) {
      for (const slot of slots) {
        const tensor = tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
        this.#slots.set(`${optimizer}/${name}/${slot}`, tensor);
      }
    }
  }

  /** @throws Error for a variable that the optimizer was not made for. */
  of(variable: string, slot: string): tf.Variable {
    const tensor = this.#slots.get(`${this.#optimizer}/${variable}/${slot}`);
    if (tensor === undefined) {
      throw new Error(`The optimizer ${this.#optimizer} has no ${slot} for ${variable}.`);
    }
    return tensor;
  }

  all(): ReadonlyMap<string, tf.Tensor> {
    return this.#slots;
  }

  /**
   * @throws TeletrainError `checkpoint-mismatch` when one is missing, foreign or of another shape;
   * nothing has changed then.
   */
  restore(given: ReadonlyMap<string, tf.Tensor>): void {
    for (const name of given.keys()) {
      if (!this.#slots.has(name)) {
        throw mismatch(`The optimizer of this run has no state "${name}"`);
      }
    }
    for (const [name, slot] of this.#slots) {
      const shape = given.get(name)?.shape;
      if (shape?.join() !== slot.shape.join()) {
        const found = shape === undefined ? 'is missing' : `has the shape [${shape}]`;
        throw mismatch(`The optimizer's state "${name}" ${found}; [${slot.shape}] is needed`);
      }
    }
    for (const [name, value] of given) {
      tf.tidy(() => this.#slots.get(name)?.assign(tf.clone(value)));
    }
  }

  dispose(): void {
    tf.dispose([...this.#slots.values()]);
    this.#slots.clear();
  }
}

function mismatch(message: string): TeletrainError {
  return new TeletrainError('checkpoint-mismatch', `${message}.`, {
    hint: 'Resume with the settings of the run that wrote the checkpoint, or choose another one.',
  });
}
