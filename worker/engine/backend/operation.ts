import type { Tensor } from '@tensorflow/tfjs-core';

/** TensorFlow's data types that an attribute can name, with their numbers in `types.proto`. */
export const dataTypeNumbers = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  int8: 6,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  half: 19,
} as const;

export type DataTypeName = keyof typeof dataTypeNumbers;

/** One attribute of a TensorFlow operation, tagged with the kind that its definition gives it. */
export type OperationAttribute =
  | { readonly type: DataTypeName }
  | { readonly int: number | readonly number[] }
  | { readonly float: number | readonly number[] }
  | { readonly bool: boolean | readonly boolean[] }
  | { readonly string: string }
  | { readonly shape: readonly number[] };

/** An int64 scalar as an input: tensors of that type do not exist in tfjs. */
export interface Int64Input {
  readonly int64: number;
}

export type OperationInput = Tensor | Int64Input;

/**
 * Runs one TensorFlow operation by its registered name, e.g. `BlockLSTMV2`. Type attributes are
 * not inferred: all of them must be given. The outputs belong to the surrounding tidy; those of
 * type int64 arrive as int32. Throws what TensorFlow says when the operation refuses.
 */
export type ExecuteOperation = (
  name: string,
  attributes: Readonly<Record<string, OperationAttribute>>,
  inputs: readonly OperationInput[],
  outputs: number,
) => Tensor[];
