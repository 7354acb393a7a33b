import * as tf from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import { computeStacks, gradientWanted, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import {
  type Direction,
  diagonalOrder,
  inverse,
  type PictureSize,
  type SkewedColumn,
  skewedColumns,
} from './diagonal-order.ts';
import { diagonalBackward, diagonalForward, type Outside } from './diagonal-recurrence.ts';
import {
  joinOutputs,
  joinSteps,
  sequenceFromTensors,
  sequenceToTensors,
  splitSteps,
} from './lstm-sequence.ts';
import { permuteCells } from './permute-cells.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/** One direction of a Diagonal BiLSTM. */
export interface Scan {
  readonly weights: DiagonalLstmWeights;
  readonly direction: Direction;
}

/** Each a stack over the scans: [scans, cells · batch, features] and so on. */
type Inputs = [
  x: tf.Tensor3D,
  kernel: tf.Tensor3D,
  recurrentKernel: tf.Tensor3D,
  bias: tf.Tensor3D,
  initialOutput: tf.Tensor3D,
  initialCell: tf.Tensor3D,
];

/**
 * `diagonalLstm` in one direction or several at once: all pixels of a diagonal are the rows of one
 * matrix, the directions' matrices are stacked, the right one mirrored, and each product is one for
 * the whole stack. So two directions take as many operations as one.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 * @param scans all of the same units
 * @returns h of each scan, [rows · columns, batch, units]
 */
export function composedDiagonalLstms(
  maps: tf.Tensor3D,
  scans: readonly Scan[],
  size: PictureSize,
  implementation: Implementation,
): tf.Tensor3D[] {
  const [cells, batch] = maps.shape;
  const orders = scans.map(({ direction }) => diagonalOrder(size, direction));
  const columns = skewedColumns(size);
  const outputs = recurrence(inputsOf(maps, scans, orders), columns, batch, implementation);
  const units = outputs.shape[2];
  const ofScans: tf.Tensor3D[] =
    scans.length === 1 ? [outputs] : tf.split(outputs, scans.length, 0);
  return ofScans.map((output, scan) =>
    // As many orders as scans.
    permuteCells(tf.reshape(output, [cells, batch, units]), inverse(orders[scan] as Int32Array)),
  );
}

function inputsOf(
  maps: tf.Tensor3D,
  scans: readonly Scan[],
  orders: readonly Int32Array[],
): Inputs {
  const [cells, batch, features] = maps.shape;
  const count = scans.length;
  const stacked = (matrices: tf.Tensor[], [rows, columns]: [number, number]): tf.Tensor3D =>
    tf.reshape(matrices.length === 1 ? (matrices[0] as tf.Tensor) : tf.concat(matrices), [
      count,
      rows,
      columns,
    ]);
  const weights = (name: keyof DiagonalLstmWeights, rows: number) => {
    const all = scans.map((scan) => scan.weights[name]);
    // There is a scan.
    return stacked(all, [rows, (all[0] as tf.Tensor).size / rows]);
  };
  // Every picture of the batch starts from the same states.
  const forAll = (name: 'initialOutput' | 'initialCell') =>
    tf.tile(weights(name, 1), [1, batch, 1]);
  const units = (scans[0] as Scan).weights.initialCell.shape[0];
  const permuted = orders.map((order) => permuteCells(maps, order));
  return [
    stacked(permuted, [cells * batch, features]),
    weights('kernel', features),
    weights('recurrentKernel', 2 * units),
    weights('bias', 1),
    forAll('initialOutput'),
    forAll('initialCell'),
  ];
}

/** @returns h of every pixel in the order of its scan, [scans, cells · batch, units] */
function recurrence(
  inputs: Inputs,
  columns: readonly SkewedColumn[],
  batch: number,
  implementation: Implementation,
): tf.Tensor3D {
  const keep = gradientWanted();
  const rows = columns.map(({ cells }) => cells * batch);
  return differentiable<tf.Tensor3D, [...Inputs, ...tf.Tensor[]]>(inputs, {
    forward() {
      const [x, kernel, recurrentKernel, bias, output, cell] = inputs;
      const projected = tf.add(tf.matMul(x, kernel), bias) as tf.Tensor3D;
      return computeStacks(implementation, (arithmetic) => {
        const { steps, neighbours } = diagonalForward(
          arithmetic,
          arithmetic.splitRows(arithmetic.fromTensor(projected), rows),
          arithmetic.fromTensor(recurrentKernel),
          fromTensors(arithmetic, { output, cell }),
          { columns, batch },
        );
        const allNeighbours = keep ? [arithmetic.toTensor(arithmetic.concatRows(neighbours))] : [];
        arithmetic.release(...neighbours);
        if (!keep) return { value: joinOutputs(arithmetic, steps), saved: inputs };
        const sequence = joinSteps(arithmetic, steps);
        return {
          value: sequence.output,
          saved: [...inputs, ...allNeighbours, ...sequenceToTensors(sequence)],
        };
      });
    },
    gradient(dy, [x, kernel, recurrentKernel, _bias, output, cell, ...kept]) {
      // What `forward` saved after its inputs, with a gradient wanted.
      const [neighbours, ...values] = kept as [tf.Tensor3D, ...tf.Tensor[]];
      const sequence = sequenceFromTensors<tf.Tensor3D>(values);
      const { dz, initial } = computeStacks(implementation, (arithmetic) =>
        diagonalBackward(
          arithmetic,
          splitSteps(arithmetic, sequence, rows),
          arithmetic.splitRows(arithmetic.fromTensor(dy), rows),
          arithmetic.fromTensor(recurrentKernel),
          fromTensors(arithmetic, { output, cell }),
          { columns, batch },
        ),
      );
      return [
        tf.matMul(dz, kernel, false, true),
        tf.matMul(x, dz, true, false),
        tf.matMul(neighbours, dz, true, false),
        tf.sum(dz, 1, true),
        initial.output,
        initial.cell,
      ];
    },
  });
}

function fromTensors<Matrix, AsTensor extends tf.Tensor>(
  arithmetic: Arithmetic<Matrix, AsTensor>,
  { output, cell }: Outside<AsTensor>,
): Outside<Matrix> {
  return { output: arithmetic.fromTensor(output), cell: arithmetic.fromTensor(cell) };
}
