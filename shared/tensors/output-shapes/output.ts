import type * as tf from '@tensorflow/tfjs-core';
import type { KernelName } from '../kernels.ts';

/** What a kernel will give. */
export interface Output {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

/**
 * The outputs of a kernel from its inputs, in the order of its signature, and its attributes, which
 * tfjs' types do not tell apart by kernel. Undefined: the worker must say. Throws where no kernel
 * could do it.
 */
export type OutputRule = (
  inputs: readonly tf.TensorInfo[],
  // biome-ignore lint/suspicious/noExplicitAny: each rule knows its kernel's attributes (tfjs-core, kernel_names).
  attributes: any,
) => Output | readonly Output[] | undefined;

export type OutputRules = Readonly<Partial<Record<KernelName, OutputRule>>>;

/** The same rule for several kernels. */
export function rulesFor(names: readonly KernelName[], rule: OutputRule): OutputRules {
  return Object.fromEntries(names.map((name) => [name, rule]));
}

/** An input that the kernel cannot do without. */
export function required(input: tf.TensorInfo | null | undefined): tf.TensorInfo {
  if (input === null || input === undefined) throw new TypeError('an input is missing');
  return input;
}

/** The rule that a kernel's output is like its input at a place, but for what is given. */
export const like =
  (place: number, dtype?: tf.DataType): OutputRule =>
  (inputs) => {
    const input = required(inputs[place]);
    return { shape: input.shape, dtype: dtype ?? input.dtype };
  };

export const product = (lengths: readonly number[]): number =>
  lengths.reduce((size, length) => size * length, 1);
