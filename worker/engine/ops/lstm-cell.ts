import type { Tensor } from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';

/** What an LSTM cell computed, as its gradient needs it; each [rows, units]. */
export interface LstmCellValues<Matrix> {
  readonly inputGate: Matrix;
  readonly forgetGate: Matrix;
  /** tanh of the candidate, Keras' gate `c`. */
  readonly candidate: Matrix;
  readonly outputGate: Matrix;
  readonly cell: Matrix;
  readonly tanhCell: Matrix;
  readonly output: Matrix;
}

/**
 * c = sigmoid(f) · c(-1) + sigmoid(i) · tanh(g), h = sigmoid(o) · tanh(c), from the gates before
 * their non-linearities, [rows, 4 · units] in Keras' order i, f, c, o.
 *
 * @param previousCell absent where it is zero
 */
export function lstmCell<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  gates: Matrix,
  previousCell: Matrix | undefined,
): LstmCellValues<Matrix> {
  const parts = arithmetic.splitColumns(gates, 4);
  const [i, f, g, o] = parts as [Matrix, Matrix, Matrix, Matrix];
  const inputGate = arithmetic.sigmoid(i);
  const forgetGate = arithmetic.sigmoid(f);
  const candidate = arithmetic.tanh(g);
  const outputGate = arithmetic.sigmoid(o);
  arithmetic.release(...parts);
  let cell = arithmetic.multiply(inputGate, candidate);
  if (previousCell !== undefined) {
    const added = cell;
    const remembered = arithmetic.multiply(forgetGate, previousCell);
    cell = arithmetic.add(remembered, added);
    arithmetic.release(added, remembered);
  }
  const tanhCell = arithmetic.tanh(cell);
  const output = arithmetic.multiply(outputGate, tanhCell);
  return { inputGate, forgetGate, candidate, outputGate, cell, tanhCell, output };
}

/**
 * The gradient of `lstmCell`: of its gates before the non-linearities, [rows, 4 · units], and of
 * the previous cell, from those of its output and, but for the last step, of its cell.
 */
export function lstmCellGradient<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  values: Omit<LstmCellValues<Matrix>, 'cell' | 'output'>,
  previousCell: Matrix | undefined,
  outputGradient: Matrix,
  laterCellGradient: Matrix | undefined,
): { readonly gates: Matrix; readonly previousCell: Matrix } {
  const { inputGate, forgetGate, candidate, outputGate, tanhCell } = values;
  const toTanh = arithmetic.multiply(outputGradient, outputGate);
  let cell = arithmetic.tanhGradient(tanhCell, toTanh);
  arithmetic.release(toTanh);
  if (laterCellGradient !== undefined) {
    const throughOutput = cell;
    cell = arithmetic.add(throughOutput, laterCellGradient);
    arithmetic.release(throughOutput);
  }
  const through = (factor: Matrix, gradient: Matrix, derivative: 'tanh' | 'sigmoid', y: Matrix) => {
    const scaled = arithmetic.multiply(gradient, factor);
    const result =
      derivative === 'tanh'
        ? arithmetic.tanhGradient(y, scaled)
        : arithmetic.sigmoidGradient(y, scaled);
    arithmetic.release(scaled);
    return result;
  };
  const i = through(candidate, cell, 'sigmoid', inputGate);
  const f =
    previousCell === undefined
      ? arithmetic.zerosLike(forgetGate)
      : through(previousCell, cell, 'sigmoid', forgetGate);
  const g = through(inputGate, cell, 'tanh', candidate);
  const o = through(tanhCell, outputGradient, 'sigmoid', outputGate);
  const gates = arithmetic.concatColumns([i, f, g, o]);
  const toPreviousCell = arithmetic.multiply(cell, forgetGate);
  arithmetic.release(cell, i, f, g, o);
  return { gates, previousCell: toPreviousCell };
}
