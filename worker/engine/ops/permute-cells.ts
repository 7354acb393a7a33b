import * as tf from '@tensorflow/tfjs-core';
import { differentiable } from './custom-gradient.ts';
import { inverse } from './diagonal-order.ts';

/**
 * Result cell i is input cell permutation[i]. The gradient gathers by the inverse, which is cheaper
 * than the sum that a gather needs in general.
 *
 * @param maps [cells, batch, features]
 */
export function permuteCells(maps: tf.Tensor3D, permutation: Int32Array): tf.Tensor3D {
  return differentiable<tf.Tensor3D, []>([maps], {
    forward: () => ({ value: gatherCells(maps, permutation), saved: [] }),
    gradient: (dy) => [gatherCells(dy, inverse(permutation))],
  });
}

function gatherCells(maps: tf.Tensor3D, cells: Int32Array): tf.Tensor3D {
  return tf.tidy(() => tf.gather(maps, tf.tensor1d(cells, 'int32')));
}
