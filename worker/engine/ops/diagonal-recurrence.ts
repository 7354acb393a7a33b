import type { Tensor } from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import type { SkewedColumn } from './diagonal-order.ts';
import { type LstmCellValues, lstmCell, lstmCellGradient } from './lstm-cell.ts';
import { releaseStep } from './lstm-sequence.ts';

/*
 * The Diagonal LSTM's recurrence, column by column of the skewed map: the pixels of a column are the
 * rows of one matrix, cell by cell and picture by picture.
 */

/** The state of a neighbour outside the picture, or its gradient; each [batch, units]. */
export interface Outside<Matrix> {
  readonly output: Matrix;
  readonly cell: Matrix;
}

/** The skewed columns in the order of the scan, and the number of pictures. */
export interface Extent {
  readonly columns: readonly SkewedColumn[];
  readonly batch: number;
}

/**
 * Releases `inputs`.
 *
 * @param inputs x · kernel + bias of each column, [cells · batch, 4 · units]
 * @returns each column's values, and its [upper, side] neighbours' outputs
 */
export function diagonalForward<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  inputs: readonly Matrix[],
  recurrentKernel: Matrix,
  outside: Outside<Matrix>,
  { columns, batch }: Extent,
): { steps: LstmCellValues<Matrix>[]; neighbours: Matrix[] } {
  const steps: LstmCellValues<Matrix>[] = [];
  const neighbours: Matrix[] = [];
  for (const [index, column] of columns.entries()) {
    const previous = steps.at(-1);
    const around = neighbourOutputs(arithmetic, previous?.output, outside.output, column, batch);
    const sideCells = sideNeighbourCells(arithmetic, previous?.cell, outside.cell, column, {
      previousCells: columns[index - 1]?.cells ?? 0,
      batch,
    });
    const recurrent = arithmetic.matMul(around, recurrentKernel);
    // One block of inputs for each column.
    const gates = arithmetic.add(inputs[index] as Matrix, recurrent);
    steps.push(lstmCell(arithmetic, gates, sideCells.cells));
    neighbours.push(around);
    arithmetic.release(recurrent, gates);
    sideCells.release();
  }
  arithmetic.release(...inputs);
  return { steps, neighbours };
}

/** @returns the outputs of the pixels above and beside a column's, [cells · batch, 2 · units]. */
function neighbourOutputs<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  previous: Matrix | undefined,
  outside: Matrix,
  { cells, startsAtTop, endsAtSide }: SkewedColumn,
  batch: number,
): Matrix {
  if (previous === undefined) {
    return arithmetic.concatColumns([outside, outside]);
  }
  // From the row above the column's first to the column's last row: one row more than the column.
  const parts = [...(startsAtTop ? [outside] : []), previous, ...(endsAtSide ? [outside] : [])];
  const all = arithmetic.concatRows(parts);
  // Two sizes give two blocks, here and in the next line.
  const [upper, below] = arithmetic.splitRows(all, [cells * batch, batch]) as [Matrix, Matrix];
  const [above, side] = arithmetic.splitRows(all, [batch, cells * batch]) as [Matrix, Matrix];
  const both = arithmetic.concatColumns([upper, side]);
  arithmetic.release(all, upper, below, above, side);
  return both;
}

/** The cell states of the pixels beside a column's, [cells · batch, units], until released. */
function sideNeighbourCells<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  previous: Matrix | undefined,
  outside: Matrix,
  { startsAtTop, endsAtSide }: SkewedColumn,
  { previousCells, batch }: { readonly previousCells: number; readonly batch: number },
): { readonly cells: Matrix; release(): void } {
  if (previous === undefined) {
    return { cells: outside, release: () => {} };
  }
  const made: Matrix[] = [];
  let cells: Matrix = previous;
  if (!startsAtTop) {
    // The previous column's first row has ended; two sizes give two blocks.
    const sizes = [batch, (previousCells - 1) * batch];
    const [ended, rest] = arithmetic.splitRows(cells, sizes) as [Matrix, Matrix];
    made.push(ended, rest);
    cells = rest;
  }
  if (endsAtSide) {
    cells = arithmetic.concatRows([cells, outside]);
    made.push(cells);
  }
  return { cells, release: () => arithmetic.release(...made) };
}

/** Releases `steps` and `dy`. @returns the gradients of the gates and of the state outside. */
export function diagonalBackward<Matrix, AsTensor extends Tensor>(
  arithmetic: Arithmetic<Matrix, AsTensor>,
  steps: readonly LstmCellValues<Matrix>[],
  dy: readonly Matrix[],
  recurrentKernel: Matrix,
  outside: Outside<Matrix>,
  { columns, batch }: Extent,
): { dz: AsTensor; initial: Outside<AsTensor> } {
  const dz: Matrix[] = [];
  const outsideOutputs: Matrix[] = [];
  const outsideCells: Matrix[] = [];
  let later: { readonly output: Matrix; readonly cell: Matrix } | undefined;
  for (const [index, column] of [...columns.entries()].reverse()) {
    // One block of everything for each column.
    const step = steps[index] as LstmCellValues<Matrix>;
    const direct = dy[index] as Matrix;
    const output = later === undefined ? direct : arithmetic.add(direct, later.output);
    const sideCells = sideNeighbourCells(arithmetic, steps[index - 1]?.cell, outside.cell, column, {
      previousCells: columns[index - 1]?.cells ?? 0,
      batch,
    });
    const here = lstmCellGradient(arithmetic, step, sideCells.cells, output, later?.cell);
    sideCells.release();
    if (later !== undefined) {
      arithmetic.release(output, later.output, later.cell);
    }
    dz.push(here.gates);
    const around = arithmetic.matMul(here.gates, recurrentKernel, false, true);
    // Two blocks, as asked for.
    const [upper, side] = arithmetic.splitColumns(around, 2) as [Matrix, Matrix];
    arithmetic.release(around);
    if (index === 0) {
      outsideOutputs.push(upper, side);
      outsideCells.push(here.previousCell);
      later = undefined;
    } else {
      const outputs = toPreviousOutputs(arithmetic, upper, side, column, batch);
      const cells = toPreviousCells(arithmetic, here.previousCell, outside.cell, column, batch);
      outsideOutputs.push(...outputs.outside);
      outsideCells.push(...cells.outside);
      later = { output: outputs.previous, cell: cells.previous };
    }
  }
  const sum = (terms: readonly Matrix[]) => {
    const total = arithmetic.toTensor(arithmetic.addAll(terms));
    arithmetic.release(...terms);
    return total;
  };
  const all = arithmetic.toTensor(arithmetic.concatRows(dz.reverse()));
  arithmetic.release(...dz, ...dy);
  for (const step of steps) {
    releaseStep(arithmetic, step);
  }
  return { dz: all, initial: { output: sum(outsideOutputs), cell: sum(outsideCells) } };
}

/**
 * Gives the gradients of a column's upper and side neighbours to the previous column and to the
 * outside. Releases both.
 */
function toPreviousOutputs<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  upper: Matrix,
  side: Matrix,
  { cells, startsAtTop, endsAtSide }: SkewedColumn,
  batch: number,
): { previous: Matrix; outside: Matrix[] } {
  const inner = (cells - 1) * batch;
  // Both callers give two sizes, so there are two blocks.
  const split = (matrix: Matrix, sizes: readonly number[]) =>
    inner === 0 ? undefined : (arithmetic.splitRows(matrix, sizes) as [Matrix, Matrix]);
  const uppers = split(upper, [batch, inner]);
  const sides = split(side, [inner, batch]);
  const [first, last] = [uppers?.[0] ?? upper, sides?.[1] ?? side];
  const middle = uppers && sides ? [arithmetic.add(uppers[1], sides[0])] : [];
  const parts = [...(startsAtTop ? [] : [first]), ...middle, ...(endsAtSide ? [] : [last])];
  const previous = arithmetic.concatRows(parts);
  const outside = [...(startsAtTop ? [first] : []), ...(endsAtSide ? [last] : [])];
  arithmetic.release(...parts);
  if (uppers && sides) {
    arithmetic.release(uppers[1], sides[0], upper, side);
  }
  return { previous, outside };
}

/**
 * Gives the gradient of a column's side cells to the previous column and to the outside. Releases it.
 */
function toPreviousCells<Matrix>(
  arithmetic: Arithmetic<Matrix, Tensor>,
  side: Matrix,
  outsideCell: Matrix,
  { cells, startsAtTop, endsAtSide }: SkewedColumn,
  batch: number,
): { previous: Matrix; outside: Matrix[] } {
  // The previous column's first row has ended, so nothing in this column followed from it.
  const ended = startsAtTop ? [] : [arithmetic.zerosLike(outsideCell)];
  const sizes = endsAtSide ? [(cells - 1) * batch, batch] : [cells * batch];
  // At least one size gives at least one block.
  const [inner, ...outside] = arithmetic.splitRows(side, sizes) as [Matrix, ...Matrix[]];
  const previous = arithmetic.concatRows([...ended, inner]);
  arithmetic.release(side, inner, ...ended);
  return { previous, outside };
}
