import type * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import type { SequenceGradients } from './sequence-results.ts';

/**
 * The gradient that each timestep's output has but for that through later timesteps, absent where it
 * is zero; each [batch, units] and owned by the caller.
 */
export function splitOutputGradients<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  { outputs, lastState }: SequenceGradients,
  [timesteps, batch, units]: readonly [timesteps: number, batch: number, units: number],
): (Matrix | undefined)[] {
  const split: (Matrix | undefined)[] =
    outputs === undefined
      ? new Array(timesteps).fill(undefined)
      : arithmetic.splitRows(
          arithmetic.fromTensor(outputs.reshape([timesteps * batch, units]) as tf.Tensor2D),
          new Array<number>(timesteps).fill(batch),
        );
  const last = lastState?.[0];
  if (last !== undefined) {
    split.push(
      addPresent(arithmetic, [split.pop(), arithmetic.addAll([arithmetic.fromTensor(last)])]),
    );
  }
  return split;
}

/** The sum of the terms that there are, at least one, which are released. */
export function addPresent<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  terms: readonly (Matrix | undefined)[],
): Matrix {
  const present = terms.filter((term) => term !== undefined);
  const [first] = present;
  if (present.length === 1 && first !== undefined) return first;
  const sum = arithmetic.addAll(present);
  arithmetic.release(...present);
  return sum;
}
