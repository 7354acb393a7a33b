import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import type { LstmCellValues } from './lstm-cell.ts';

/** An LSTM's values of all steps, one below the other in the order in which they were computed. */
export type LstmSequence<AsTensor extends Tensor = Tensor2D> = LstmCellValues<AsTensor>;

const parts = [
  'inputGate',
  'forgetGate',
  'candidate',
  'outputGate',
  'cell',
  'tanhCell',
  'output',
] as const satisfies readonly (keyof LstmCellValues<unknown>)[];

function withEach<Value>(value: (part: (typeof parts)[number]) => Value): LstmCellValues<Value> {
  // Every key of the interface is in `parts`, which the compiler cannot conclude from fromEntries.
  return Object.fromEntries(
    parts.map((part) => [part, value(part)]),
  ) as unknown as LstmCellValues<Value>;
}

/** Joins the steps' values and releases them. */
export function joinSteps<Matrix, AsTensor extends Tensor>(
  arithmetic: Arithmetic<Matrix, AsTensor>,
  steps: readonly LstmCellValues<Matrix>[],
): LstmSequence<AsTensor> {
  return withEach((part) => {
    const values = steps.map((step) => step[part]);
    const joined = arithmetic.toTensor(arithmetic.concatRows(values));
    arithmetic.release(...values);
    return joined;
  });
}

/** Joins the steps' outputs alone, for when no gradient is wanted, and releases all their values. */
export function joinOutputs<Matrix, AsTensor extends Tensor>(
  arithmetic: Arithmetic<Matrix, AsTensor>,
  steps: readonly LstmCellValues<Matrix>[],
): AsTensor {
  const output = arithmetic.toTensor(arithmetic.concatRows(steps.map((step) => step.output)));
  for (const step of steps) {
    releaseStep(arithmetic, step);
  }
  return output;
}

/** The steps' values again, of the given numbers of rows; to be released with `releaseStep`. */
export function splitSteps<Matrix, AsTensor extends Tensor>(
  arithmetic: Arithmetic<Matrix, AsTensor>,
  sequence: LstmSequence<AsTensor>,
  rows: readonly number[],
): LstmCellValues<Matrix>[] {
  const split = withEach((part) =>
    arithmetic.splitRows(arithmetic.fromTensor(sequence[part]), rows),
  );
  // Every part was split into as many pieces as `rows` names.
  return rows.map((_, step) => withEach((part) => split[part][step] as Matrix));
}

export function releaseStep<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  step: LstmCellValues<Matrix>,
): void {
  arithmetic.release(...parts.map((part) => step[part]));
}

export function sequenceToTensors<AsTensor extends Tensor>(
  sequence: LstmSequence<AsTensor>,
): AsTensor[] {
  return parts.map((part) => sequence[part]);
}

/** The inverse of `sequenceToTensors`. */
export function sequenceFromTensors<AsTensor extends Tensor = Tensor2D>(
  tensors: readonly Tensor[],
): LstmSequence<AsTensor> {
  return withEach((part) => tensors[parts.indexOf(part)] as AsTensor);
}
