import * as tf from '@tensorflow/tfjs-core';

/** An operation by its forward computation and its hand-written gradient. */
export interface DifferentiableOperation<
  Value extends tf.Tensor,
  Saved extends readonly tf.Tensor[],
> {
  /** `saved` is what the gradient needs; only the operation's inputs and new tensors may be in it. */
  forward(): { readonly value: Value; readonly saved: Saved };
  /** The gradients of the inputs, in their order, from the gradient of the value. */
  gradient(dy: Value, saved: Saved): tf.Tensor[];
}

/**
 * Runs an operation so that tfjs' tape uses its own gradient. `tf.customGrad` with types that fit:
 * its declaration knows neither operations of several inputs of different rank nor what is saved.
 */
export function differentiable<Value extends tf.Tensor, const Saved extends readonly tf.Tensor[]>(
  inputs: readonly tf.Tensor[],
  operation: DifferentiableOperation<Value, Saved>,
): Value {
  const run = tf.customGrad<Value>((...argumentsAndSave) => {
    // tfjs passes the inputs and then the function that keeps tensors for the gradient.
    const save = argumentsAndSave.at(-1) as tf.GradSaveFunc;
    const { value, saved } = operation.forward();
    save([...saved]);
    return {
      value,
      gradFunc: (dy: Value, kept: tf.Tensor[]) =>
        // What was saved comes back as it was given.
        operation.gradient(dy, kept as unknown as Saved),
    };
  });
  return run(...inputs);
}
