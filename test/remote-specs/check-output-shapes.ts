import * as tf from '@tensorflow/tfjs-core';
import { isKernelName, kernelSignature } from '../../shared/tensors/kernels.ts';
import { outputsOf, waitedOutputs } from '../../shared/tensors/output-shapes/outputs.ts';

/**
 * Has every kernel of a backend compared, whenever it runs, with what the client would have worked
 * out for it. @returns one line for each kind of mismatch, as they are found.
 */
export function checkOutputShapes(backendName: string): ReadonlySet<string> {
  const mismatches = new Set<string>();
  const checked = new Set<string>();
  for (const config of tf.getKernelsForBackend(backendName)) {
    const { kernelName, kernelFunc } = config;
    if (!isKernelName(kernelName)) {
      mismatches.add(`${kernelName} is not known`);
      continue;
    }
    const signature = kernelSignature(kernelName);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      ...config,
      kernelFunc: (given) => {
        const actual = kernelFunc(given);
        const { inputs, attrs } = given;
        const listed =
          signature.inputs === 'list'
            ? (Object.values(inputs) as tf.TensorInfo[])
            : signature.inputs.map((key) => inputs[key] ?? null);
        const strange = [
          ...(signature.inputs === 'list'
            ? []
            : Object.keys(inputs).filter((key) => !signature.inputs.includes(key))),
          ...Object.keys(attrs ?? {}).filter((key) => !signature.attributes.includes(key)),
        ];
        if (strange.length > 0) mismatches.add(`${kernelName} has also ${strange}`);
        const text = (
          outputs:
            | readonly tf.TensorInfo[]
            | readonly { shape: readonly number[]; dtype: string }[],
        ) => outputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join(' ');
        const made = Array.isArray(actual) ? actual : [actual as tf.TensorInfo];
        let expected = '';
        try {
          const outputs = outputsOf(kernelName, listed, attrs ?? {});
          if (outputs) checked.add(kernelName);
          expected = outputs ? text(outputs) : text(made);
          if (!outputs && waitedOutputs(kernelName) !== made.length)
            expected = `${waitedOutputs(kernelName)} outputs`;
        } catch (error) {
          expected = String(error);
        }
        if (expected !== text(made)) {
          mismatches.add(
            `${kernelName}(${text(listed.filter((x) => x !== null))}) ${JSON.stringify(attrs)} gave ${text(made)}, expected ${expected}`,
          );
        }
        return actual;
      },
    });
  }
  return mismatches;
}
