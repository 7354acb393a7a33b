import * as tf from '@tensorflow/tfjs-core';
import type { Direction, PictureSize } from '../../../../../worker/engine/ops/diagonal-order.ts';
import type { DiagonalLstmWeights } from '../../../../../worker/engine/ops/recurrent-weights.ts';

/**
 * What published re-implementations got wrong (`carpedm20/pixel-rnn-tensorflow` and its copies):
 * - `pads-after`: a kernel of two rows padded after, so a pixel reads rows r and r + 1;
 * - `splits-rows`: gates split on the flattened rows, so quarters of the rows become the gates;
 * - `zeroes-last-row`: the right map's last row set to zero, and the map not moved down.
 */
export const faults = ['pads-after', 'splits-rows', 'zeroes-last-row'] as const;
export type Fault = (typeof faults)[number];

/**
 * A Diagonal BiLSTM layer on the skewed map as the paper describes it, padding and all, of plain
 * operations: the independent definition for the product's own layer, and, given a fault, the layer
 * as others wrote it. @returns the two directions' sum, [cells, batch, units].
 */
export function skewedBiLstm(
  maps: tf.Tensor3D,
  weights: Readonly<Record<Direction, DiagonalLstmWeights>>,
  size: PictureSize,
  fault?: Fault,
): tf.Tensor3D {
  const left = scan(maps, weights.left, size, fault);
  const right = mirror(scan(mirror(maps, size), weights.right, size, fault), size);
  const [cells, batch, units] = right.shape;
  const zeroRow = tf.zeros<tf.Rank.R3>([size.columns, batch, units]);
  const kept = [cells - size.columns, batch, units] as [number, number, number];
  const moved =
    fault === 'zeroes-last-row'
      ? tf.concat([tf.slice(right, 0, kept), zeroRow])
      : tf.concat([zeroRow, tf.slice(right, 0, kept)]);
  return tf.add(left, moved);
}

/** One direction, from the left; [cells, batch, units]. */
export function scan(
  maps: tf.Tensor3D,
  weights: DiagonalLstmWeights,
  { rows, columns }: PictureSize,
  fault?: Fault,
): tf.Tensor3D {
  const [, batch] = maps.shape;
  const units = weights.initialCell.shape[0];
  const pixels = tf.unstack(maps) as tf.Tensor2D[];
  const blank = tf.zerosLike(pixels[0] as tf.Tensor2D);
  const row = (initial: tf.Tensor): tf.Tensor3D =>
    tf.tile(tf.reshape(initial, [1, 1, units]), [1, batch, 1]);
  const everywhere = (initial: tf.Tensor): tf.Tensor3D => tf.tile(row(initial), [rows, 1, 1]);
  const upperKernel = tf.slice(weights.recurrentKernel, [0, 0], [units, -1]);
  const sideKernel = tf.slice(weights.recurrentKernel, [units, 0], [units, -1]);
  let output = everywhere(weights.initialOutput);
  let cell = everywhere(weights.initialCell);
  const outputs = new Map<number, tf.Tensor>();
  for (let skewed = 0; skewed < rows + columns - 1; skewed++) {
    const inside = Array.from({ length: rows }, (_, r) => skewed - r >= 0 && skewed - r < columns);
    const column = inside.map((is, r) => (is ? pixels[r * columns + skewed - r] : blank));
    const toState = product(tf.stack(column as tf.Tensor[]) as tf.Tensor3D, weights.kernel);
    const shifted =
      fault === 'pads-after'
        ? tf.concat([tf.slice(output, 1), row(weights.initialOutput)])
        : tf.concat([row(weights.initialOutput), tf.slice(output, 0, [rows - 1, -1, -1])]);
    const [first, second] = fault === 'pads-after' ? [output, shifted] : [shifted, output];
    const recurrent = tf.add(product(first, upperKernel), product(second, sideKernel));
    const gates = tf.add(tf.add(toState, weights.bias), recurrent) as tf.Tensor3D;
    const [i, f, g, o] = splitGates(gates, fault) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const next = tf.add(tf.mul(tf.sigmoid(f), cell), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    // Cells outside the picture keep the initial state.
    const mask = tf.tensor3d(inside.map(Number), [rows, 1, 1]);
    const keep = (value: tf.Tensor, initial: tf.Tensor) =>
      tf.where(tf.cast(tf.tile(mask, [1, batch, units]), 'bool'), value, everywhere(initial));
    output = keep(tf.mul(tf.sigmoid(o), tf.tanh(next)), weights.initialOutput) as tf.Tensor3D;
    cell = keep(next, weights.initialCell) as tf.Tensor3D;
    for (const [r, is] of inside.entries()) {
      if (is) {
        const here = tf.slice(output, [r, 0, 0], [1, batch, units]);
        outputs.set(r * columns + skewed - r, tf.reshape(here, [batch, units]));
      }
    }
  }
  const inOrder = [...outputs.entries()].sort(([a], [b]) => a - b).map(([, here]) => here);
  return tf.stack(inOrder) as tf.Tensor3D;
}

function splitGates(gates: tf.Tensor3D, fault: Fault | undefined): tf.Tensor[] {
  if (fault !== 'splits-rows') {
    return tf.split(gates, 4, 2);
  }
  const [rows, batch, width] = gates.shape;
  const flat = tf.reshape(tf.transpose(gates, [1, 0, 2]), [batch, rows * width]);
  return tf
    .split(flat, 4, 1)
    .map((part) => tf.transpose(tf.reshape(part, [batch, rows, width / 4]), [1, 0, 2]));
}

function product(maps: tf.Tensor3D, kernel: tf.Tensor2D): tf.Tensor3D {
  const [rows, batch, features] = maps.shape;
  const flat = tf.matMul(tf.reshape<tf.Rank.R2>(maps, [rows * batch, features]), kernel);
  return tf.reshape(flat, [rows, batch, kernel.shape[1]]);
}

function mirror(maps: tf.Tensor3D, { rows, columns }: PictureSize): tf.Tensor3D {
  const [cells, batch, features] = maps.shape;
  const picture = tf.reshape<tf.Rank.R4>(maps, [rows, columns, batch, features]);
  return tf.reshape(tf.reverse(picture, 1), [cells, batch, features]);
}
