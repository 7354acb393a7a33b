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

/** The same with several values. */
export interface DifferentiableOperations<Saved extends readonly tf.Tensor[]> {
  forward(): { readonly values: readonly tf.Tensor[]; readonly saved: Saved };
  /** The gradients of the inputs from those of all values, which are zeros for a value never used. */
  gradient(dy: readonly tf.Tensor[], saved: Saved): tf.Tensor[];
}

/**
 * Runs an operation so that tfjs' tape uses its own gradient. `tf.customGrad` with types that fit:
 * its declaration knows neither operations of several inputs of different rank nor what is saved.
 */
export function differentiable<Value extends tf.Tensor, const Saved extends readonly tf.Tensor[]>(
  inputs: readonly tf.Tensor[],
  operation: DifferentiableOperation<Value, Saved>,
): Value {
  const [value] = differentiableTogether<Saved>(inputs, {
    forward() {
      const { value, saved } = operation.forward();
      return { values: [value], saved };
    },
    // One gradient for the one value, of its shape.
    gradient: ([dy], saved) => operation.gradient(dy as Value, saved),
  });
  return value as Value;
}

/** What is used of tfjs' engine, which declares it private: `tf.customGrad` is this for one value. */
interface ValuesWithGradient {
  runKernelFunc(kernel: {
    forwardFunc(backend: unknown, save: tf.GradSaveFunc): tf.Tensor[];
    backwardsFunc(dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]): Record<string, () => tf.Tensor>;
    inputs: tf.NamedTensorMap;
  }): tf.Tensor[];
}

/** `differentiable` for an operation of several values, whose gradients it then gets together. */
export function differentiableTogether<const Saved extends readonly tf.Tensor[]>(
  inputs: readonly tf.Tensor[],
  operation: DifferentiableOperations<Saved>,
): tf.Tensor[] {
  const engine = tf.engine() as unknown as ValuesWithGradient;
  return engine.runKernelFunc({
    inputs: Object.fromEntries(inputs.entries()),
    forwardFunc(_, save) {
      const { values, saved } = operation.forward();
      save([...saved]);
      return [...values];
    },
    backwardsFunc(dy, kept) {
      // What was saved comes back as it was given.
      const saved = kept as unknown as Saved;
      const gradients = operation.gradient(Array.isArray(dy) ? dy : [dy], saved);
      return Object.fromEntries(gradients.map((gradient, place) => [place, () => gradient]));
    },
  });
}
