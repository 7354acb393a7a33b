import type * as tf from '@tensorflow/tfjs-core';
import { differentiableTogether } from './custom-gradient.ts';

/** What a recurrence over whole sequences gives. */
export interface SequenceResults {
  /** Every h(t), [timesteps, batch, units]. */
  readonly outputs: tf.Tensor3D;
  /** The last timestep's h and, of an LSTM, its cell; each [batch, units]. */
  readonly lastState: readonly tf.Tensor2D[];
}

/**
 * A result that a caller can ask for. The gradient of one that he did not ask for is known to be zero
 * before the way back begins, so it is neither made nor read.
 */
export type SequencePart = keyof SequenceResults;

/** Gradients of the results asked for. */
export type SequenceGradients = Partial<SequenceResults>;

export interface SequenceOperation<Saved extends readonly tf.Tensor[]> {
  /** `saved` is what the gradient needs; only the operation's inputs and new tensors may be in it. */
  forward(): { readonly results: SequenceResults; readonly saved: Saved };
  /** The gradients of the inputs, in their order. */
  gradient(dy: SequenceGradients, saved: Saved): tf.Tensor[];
}

/** Runs a recurrence with a gradient of its own and returns the parts of its results asked for. */
export function differentiableSequence<
  Part extends SequencePart,
  const Saved extends readonly tf.Tensor[],
>(
  inputs: readonly tf.Tensor[],
  parts: readonly Part[],
  operation: SequenceOperation<Saved>,
): Pick<SequenceResults, Part> {
  const asksFor = (part: SequencePart) => (parts as readonly SequencePart[]).includes(part);
  const pick = (all: readonly tf.Tensor[]) => ({
    // In the order in which `forward` lists them.
    ...(asksFor('outputs') && { outputs: all[0] as tf.Tensor3D }),
    ...(asksFor('lastState') && {
      lastState: all.slice(asksFor('outputs') ? 1 : 0) as tf.Tensor2D[],
    }),
  });
  const values = differentiableTogether<Saved>(inputs, {
    forward() {
      const { results, saved } = operation.forward();
      const listed: tf.Tensor[] = [];
      if (asksFor('outputs')) listed.push(results.outputs);
      if (asksFor('lastState')) listed.push(...results.lastState);
      return { values: listed, saved };
    },
    gradient: (dy, saved) => operation.gradient(pick(dy), saved),
  });
  // It has what `parts` names, which the compiler cannot follow.
  return pick(values) as Pick<SequenceResults, Part>;
}
