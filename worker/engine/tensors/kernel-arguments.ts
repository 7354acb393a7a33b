import type { AttributeValue } from '../../../shared/tensors/commands.ts';
import { type KernelName, kernelSignature } from '../../../shared/tensors/kernels.ts';

/** A kernel's attributes by their names; those that were left out are not there. */
export function namedAttributes(
  name: KernelName,
  values: readonly (AttributeValue | null)[],
): Record<string, AttributeValue> {
  const { attributes } = kernelSignature(name);
  const named: Record<string, AttributeValue> = {};
  values.forEach((value, place) => {
    const key = attributes[place];
    if (value !== null && key !== undefined) named[key] = value;
  });
  return named;
}
