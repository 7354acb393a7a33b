import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import { chooseKernels, compute, gradientWanted, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import {
  type Direction,
  diagonalOrder,
  inverse,
  type PictureSize,
  type SkewedColumn,
  skewedColumns,
} from './diagonal-order.ts';
import { fusedDiagonalLstm } from './fused-diagonal-lstm.ts';
import { type LstmCellValues, lstmCell, lstmCellGradient } from './lstm-cell.ts';
import {
  joinOutputs,
  joinSteps,
  releaseStep,
  sequenceFromTensors,
  sequenceToTensors,
  splitSteps,
} from './lstm-sequence.ts';
import { permuteCells } from './permute-cells.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/**
 * One direction of the Diagonal BiLSTM (van den Oord et al., 2016, section 3.2 and equation 3): an
 * LSTM at every pixel whose state comes from the pixel beside it (cell and output) and the pixel
 * above it (output). The side is the left for direction `left` and the right for `right`. On the
 * native engine's CPU one operation each way; elsewhere all pixels of a diagonal are computed at once,
 * and the input-to-state convolution is one product over all pixels.
 *
 * The right direction's output at a pixel knows pixels after it: add it to the left one's only after
 * `shiftDown`.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 * @returns h, [rows · columns, batch, units]
 */
export function diagonalLstm(
  maps: tf.Tensor3D,
  weights: DiagonalLstmWeights,
  size: PictureSize,
  direction: Direction,
  implementation: Implementation = 'best',
): tf.Tensor3D {
  const kernels = chooseKernels(implementation);
  return kernels
    ? fusedDiagonalLstm(kernels, maps, weights, size, direction)
    : composedDiagonalLstm(maps, weights, size, direction, implementation);
}

function composedDiagonalLstm(
  maps: tf.Tensor3D,
  weights: DiagonalLstmWeights,
  size: PictureSize,
  direction: Direction,
  implementation: Implementation,
): tf.Tensor3D {
  const [cells, batch, features] = maps.shape;
  const units = weights.initialCell.shape[0];
  const order = diagonalOrder(size, direction);
  const columns = skewedColumns(size);
  const keep = gradientWanted();
  const x: tf.Tensor2D = tf.reshape(permuteCells(maps, order), [cells * batch, features]);
  const { kernel, recurrentKernel, bias } = weights;
  // Every picture of the batch starts from the same states.
  const outside: Outside<tf.Tensor2D> = {
    output: tf.tile(tf.reshape(weights.initialOutput, [1, units]), [batch, 1]),
    cell: tf.tile(tf.reshape(weights.initialCell, [1, units]), [batch, 1]),
  };
  const inputs: Inputs = [x, kernel, recurrentKernel, bias, outside.output, outside.cell];
  const outputs = differentiable<tf.Tensor2D, [...Inputs, ...tf.Tensor[]]>(inputs, {
    forward() {
      const projected: tf.Tensor2D = tf.add(tf.matMul(x, kernel), bias);
      return compute(implementation, (arithmetic) => {
        const { steps, neighbours } = forward(
          arithmetic,
          arithmetic.splitRows(arithmetic.fromTensor(projected), blockRows(columns, batch)),
          arithmetic.fromTensor(recurrentKernel),
          fromTensors(arithmetic, outside),
          { columns, batch },
        );
        const allNeighbours = keep ? [arithmetic.toTensor(arithmetic.concatRows(neighbours))] : [];
        arithmetic.release(...neighbours);
        if (!keep) {
          return { value: joinOutputs(arithmetic, steps), saved: inputs };
        }
        const sequence = joinSteps(arithmetic, steps);
        return {
          value: sequence.output,
          saved: [...inputs, ...allNeighbours, ...sequenceToTensors(sequence)],
        };
      });
    },
    gradient(dy, [x, kernel, recurrentKernel, _bias, initialOutput, initialCell, ...kept]) {
      // What `forward` saved after its inputs, with a gradient wanted.
      const [neighbours, ...values] = kept as [tf.Tensor2D, ...tf.Tensor[]];
      const sequence = sequenceFromTensors(values);
      const { dz, initial } = compute(implementation, (arithmetic) => {
        const rows = blockRows(columns, batch);
        return backward(
          arithmetic,
          splitSteps(arithmetic, sequence, rows),
          arithmetic.splitRows(arithmetic.fromTensor(dy), rows),
          arithmetic.fromTensor(recurrentKernel),
          fromTensors(arithmetic, { output: initialOutput, cell: initialCell }),
          { columns, batch },
        );
      });
      return [
        tf.matMul(dz, kernel, false, true),
        tf.matMul(x, dz, true, false),
        tf.matMul(neighbours, dz, true, false),
        tf.sum(dz, 0),
        initial.output,
        initial.cell,
      ];
    },
  });
  return permuteCells(tf.reshape(outputs, [cells, batch, units]), inverse(order));
}

/**
 * Moves a map down by one row, the first becoming zero, so that a right map's pixel knows only
 * pixels of the rows above.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 */
export function shiftDown(maps: tf.Tensor3D, { columns }: PictureSize): tf.Tensor3D {
  const [cells, batch, features] = maps.shape;
  const kept = tf.slice(maps, [0, 0, 0], [cells - columns, batch, features]);
  return tf.pad(kept, [
    [columns, 0],
    [0, 0],
    [0, 0],
  ]);
}

type Inputs = [
  x: tf.Tensor2D,
  kernel: tf.Tensor2D,
  recurrentKernel: tf.Tensor2D,
  bias: tf.Tensor1D,
  initialOutput: tf.Tensor2D,
  initialCell: tf.Tensor2D,
];

/** The state of a neighbour outside the picture, or its gradient; each [batch, units]. */
interface Outside<Matrix> {
  readonly output: Matrix;
  readonly cell: Matrix;
}

interface Extent {
  readonly columns: readonly SkewedColumn[];
  readonly batch: number;
}

function fromTensors<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  { output, cell }: Outside<tf.Tensor2D>,
): Outside<Matrix> {
  return { output: arithmetic.fromTensor(output), cell: arithmetic.fromTensor(cell) };
}

function blockRows(columns: readonly SkewedColumn[], batch: number): number[] {
  return columns.map(({ cells }) => cells * batch);
}

/** Releases `inputs`. @returns each column's values, and its [upper, side] neighbours' outputs. */
function forward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
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
  arithmetic: Arithmetic<Matrix>,
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
  arithmetic: Arithmetic<Matrix>,
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
function backward<Matrix>(
  arithmetic: Arithmetic<Matrix>,
  steps: readonly LstmCellValues<Matrix>[],
  dy: readonly Matrix[],
  recurrentKernel: Matrix,
  outside: Outside<Matrix>,
  { columns, batch }: Extent,
): { dz: tf.Tensor2D; initial: Outside<tf.Tensor2D> } {
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
  arithmetic: Arithmetic<Matrix>,
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
  arithmetic: Arithmetic<Matrix>,
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
