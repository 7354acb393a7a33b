import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels, gradientWanted, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import { dense, denseForward, denseGradients } from './dense.ts';
import { type BothDirections, diagonalBiLstm } from './diagonal-bilstm.ts';
import { shiftDown } from './diagonal-lstm.ts';
import type { PictureSize } from './diagonal-order.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import type { DiagonalLstmWeights } from './recurrent-weights.ts';

/** Two directions of h units, and the 1x1 convolution [h, features] after them. */
export interface DiagonalBiLstmLayerWeights extends BothDirections<DiagonalLstmWeights> {
  readonly upsample: { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor1D };
}

/**
 * A layer of PixelRNN (van den Oord et al., 2016, sections 3.2 and 3.3): both directions of the
 * Diagonal BiLSTM, the right one's map moved down one row, their sum upsampled to as many maps as the
 * layer's input has, and the input added. Two operations each way on the native engine's CPU, which
 * keep no map but the two directions' gates, cells and outputs.
 *
 * @param maps in raster order, [rows · columns, batch, features]
 * @returns of the same shape
 */
export function diagonalBiLstmLayer(
  maps: tf.Tensor3D,
  weights: DiagonalBiLstmLayerWeights,
  size: PictureSize,
  implementation: Implementation = 'best',
): tf.Tensor3D {
  const kernels = chooseKernels(implementation);
  return kernels
    ? fusedLayer(kernels, maps, weights, size)
    : composedLayer(maps, weights, size, implementation);
}

function composedLayer(
  maps: tf.Tensor3D,
  weights: DiagonalBiLstmLayerWeights,
  size: PictureSize,
  implementation: Implementation,
): tf.Tensor3D {
  const { kernel, bias } = weights.upsample;
  const { left, right } = diagonalBiLstm(maps, weights, size, implementation);
  const both: tf.Tensor3D = tf.add(left, shiftDown(right, size));
  return dense(both, kernel, bias, { residual: maps, implementation });
}

function fusedLayer(
  native: NativeDispatch,
  maps: tf.Tensor3D,
  { left, right, upsample }: DiagonalBiLstmLayerWeights,
  { rows, columns }: PictureSize,
): tf.Tensor3D {
  if (maps.shape[0] !== rows * columns) {
    throw new RangeError(`${maps.shape[0]} pixels are not ${rows} lines of ${columns}.`);
  }
  const [ofLeft, ofRight] = [tensorsOf(left), tensorsOf(right)];
  const scan = native.intAttribute('columns', columns);
  const denseAttributes = [
    native.boolAttribute('relu', false),
    native.intAttribute('second_cells_before', columns),
  ];
  const recurrent = [maps, ...ofLeft.forward, ...ofRight.forward];
  const keep = gradientWanted();
  return differentiable<tf.Tensor3D, Saved>([...recurrent, upsample.kernel, upsample.bias], {
    forward() {
      const attributes = [scan, native.boolAttribute('keep', keep)];
      const states = native.runOnTensors('TeletrainDiagonalBiLSTM', attributes, recurrent, 6);
      // Each direction's outputs, gates and cells.
      const [outputs, , , outputsOfRight] = states as [tf.Tensor3D, ...tf.Tensor3D[]];
      const value = denseForward(
        native,
        denseAttributes,
        [outputs, outputsOfRight as tf.Tensor3D, upsample.kernel, upsample.bias],
        maps,
      );
      if (!keep) {
        tf.dispose(states);
        return { value, saved: [upsample.kernel] };
      }
      const given = [maps, ...ofLeft.backward, ...ofRight.backward];
      return { value, saved: [upsample.kernel, ...given, ...states] };
    },
    gradient(dy, [kernel, ...saved]) {
      // What `forward` kept: the states' outputs are the sixth and the third from the end.
      const [outputs, outputsOfRight] = [saved.at(-6), saved.at(-3)] as [tf.Tensor3D, tf.Tensor3D];
      const [ofBoth, ...ofUpsample] = denseGradients(native, denseAttributes, [
        ...([outputs, outputsOfRight] as const),
        ...([kernel, dy] as const),
      ]) as [tf.Tensor, ...tf.Tensor[]];
      const ofRecurrent = native.runOnTensors(
        'TeletrainDiagonalBiLSTMGrad',
        [scan],
        [...saved, ofBoth, dy],
        11,
      );
      ofBoth.dispose();
      return [...ofRecurrent, ...ofUpsample];
    },
  });
}

/** A direction's weights as the operations take them, going forward and back. */
function tensorsOf({
  kernel,
  recurrentKernel,
  bias,
  initialOutput,
  initialCell,
}: DiagonalLstmWeights): { readonly forward: tf.Tensor[]; readonly backward: tf.Tensor[] } {
  return {
    forward: [kernel, recurrentKernel, bias, initialOutput, initialCell],
    backward: [kernel, recurrentKernel, initialOutput, initialCell],
  };
}

type Saved = [upsampleKernel: tf.Tensor2D, ...maps: tf.Tensor[]];
