import * as tf from '@tensorflow/tfjs-core';
import type { AttributeValue } from '../../../shared/tensors/commands.ts';
import { type KernelName, kernelSignature } from '../../../shared/tensors/kernels.ts';

/**
 * Runs a kernel of the current backend by its name. What it makes beside its outputs is freed.
 * @param inputs in the order of the kernel's signature, null where one is left out.
 * @param attributes by their names.
 * @returns its outputs, each a tensor of its own. Throws what the kernel throws.
 */
export function runKernel(
  name: KernelName,
  inputs: readonly (tf.Tensor | null)[],
  attributes: Readonly<Record<string, AttributeValue>>,
): tf.Tensor[] {
  const signature = kernelSignature(name);
  const named: Record<string, tf.Tensor> = {};
  inputs.forEach((input, place) => {
    if (input === null) return;
    named[signature.inputs === 'list' ? place : (signature.inputs[place] ?? place)] = input;
  });
  // Kernels with a list of inputs read it as an array.
  const given = signature.inputs === 'list' ? (inputs as unknown as tf.NamedTensorMap) : named;
  return tf.tidy(() => {
    // The registry's types know nothing of lists of lists, e.g. of paddings.
    const attrs = attributes as unknown as tf.NamedAttrMap;
    const outputs: tf.Tensor | tf.Tensor[] = tf.engine().runKernel(name, given, attrs);
    return (Array.isArray(outputs) ? outputs : [outputs]).map((output) =>
      // A tensor that a kernel hands through is another handle's.
      inputs.includes(output) ? output.clone() : output,
    );
  });
}
