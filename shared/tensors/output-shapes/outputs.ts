import type * as tf from '@tensorflow/tfjs-core';
import type { KernelName } from '../kernels.ts';
import { arrangements } from './arrangements.ts';
import { elementwise } from './elementwise.ts';
import type { Output, OutputRules } from './output.ts';
import { products } from './products.ts';
import { reductions } from './reductions.ts';

const rules: OutputRules = { ...elementwise, ...reductions, ...products, ...arrangements };

/**
 * The outputs of a kernel, worked out from its inputs' shapes and its attributes, as TensorFlow's
 * kernels of tfjs-node make them; undefined where they depend on values.
 * @param inputs in the order of the kernel's signature, null where one is left out.
 */
export function outputsOf(
  name: KernelName,
  inputs: readonly (tf.TensorInfo | null)[],
  attributes: tf.NamedAttrMap,
): readonly Output[] | undefined {
  const rule = rules[name];
  if (rule === undefined) return undefined;
  // Only the last inputs of fused kernels are ever left out, and no rule looks at those.
  const outputs = rule(inputs as readonly tf.TensorInfo[], attributes);
  return outputs === undefined || Array.isArray(outputs) ? outputs : [outputs as Output];
}

/** Of the kernels whose outputs depend on values: how many there are. Of the others: 1. */
const counts: Partial<Record<KernelName, number>> = {
  MaxPoolWithArgmax: 2,
  NonMaxSuppressionV4: 2,
  NonMaxSuppressionV5: 2,
  RaggedRange: 2,
  SparseFillEmptyRows: 4,
  SparseReshape: 2,
  StringNGrams: 2,
  StringSplit: 3,
  Unique: 2,
};

/** How many outputs a kernel has that must be waited for. */
export const waitedOutputs = (name: KernelName): number => counts[name] ?? 1;
