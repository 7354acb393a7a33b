import type { CallArguments } from './stock.ts';

/**
 * Applies a layer with call arguments of its own. tfjs hands one object to all layers of a model in
 * turn: a recurrent layer writes its initial state into it, and a mask stays in it, so that a later
 * layer that has neither would get both. What an executing model hands over (it gives the inputs in an
 * array) therefore loses the mask with the layer that it was meant for.
 */
export function withOwnArguments<Result>(
  inputs: unknown,
  given: CallArguments | undefined,
  apply: (own: CallArguments) => Result,
): Result {
  const result = apply({ ...given });
  if (Array.isArray(inputs)) delete given?.mask;
  return result;
}
