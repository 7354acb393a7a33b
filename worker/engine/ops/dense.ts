import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import type { NativeAttribute, NativeDispatch } from './native-dispatch.ts';

export interface DenseOptions {
  /** Takes max(x, 0) of the inputs first. Default: no. */
  readonly relu?: boolean;
  /** Added to the result, [cells, batch, outputs]. Default: nothing. */
  readonly residual?: tf.Tensor3D | undefined;
  /** Default: `best`. */
  readonly implementation?: Implementation;
}

/**
 * A dense layer over maps, which is a 1x1 convolution: every pixel's features by one matrix. One
 * operation each way on the native engine's CPU, where a row has the same bits whatever rows are
 * computed with it; a matrix product over all pixels of all pictures elsewhere.
 *
 * @param maps [cells, batch, features]
 * @param kernel [features, outputs]
 * @returns [cells, batch, outputs]
 */
export function dense(
  maps: tf.Tensor3D,
  kernel: tf.Tensor2D,
  bias: tf.Tensor1D,
  options: DenseOptions = {},
): tf.Tensor3D {
  const kernels = chooseKernels(options.implementation ?? 'best');
  return kernels
    ? fusedDense(kernels, maps, kernel, bias, options)
    : composedDense(maps, kernel, bias, options);
}

function composedDense(
  maps: tf.Tensor3D,
  kernel: tf.Tensor2D,
  bias: tf.Tensor1D,
  { relu = false, residual }: DenseOptions,
): tf.Tensor3D {
  const [cells, batch, features] = maps.shape;
  const activated = relu ? tf.relu(maps) : maps;
  const product = tf.matMul(tf.reshape<tf.Rank.R2>(activated, [cells * batch, features]), kernel);
  const result: tf.Tensor3D = tf.reshape(tf.add(product, bias), [cells, batch, kernel.shape[1]]);
  return residual ? tf.add(result, residual) : result;
}

function fusedDense(
  native: NativeDispatch,
  maps: tf.Tensor3D,
  kernel: tf.Tensor2D,
  bias: tf.Tensor1D,
  { relu = false, residual }: DenseOptions,
): tf.Tensor3D {
  const inputs = [maps, kernel, bias, ...(residual ? [residual] : [])];
  const attributes = [
    native.boolAttribute('relu', relu),
    native.intAttribute('second_cells_before', noSecond),
  ];
  return differentiable<tf.Tensor3D, [tf.Tensor3D, tf.Tensor2D]>(inputs, {
    forward: () => ({
      value: denseForward(native, attributes, [maps, maps, kernel, bias], residual),
      saved: [maps, kernel],
    }),
    gradient(dy, [maps, kernel]) {
      const gradients = denseGradients(native, attributes, [maps, maps, kernel, dy]);
      return residual ? [...gradients, dy] : gradients;
    },
  });
}

/** The attribute of an operation whose second input is not there: it gets any tensor. */
const noSecond = -1;

/**
 * The operation by itself.
 *
 * @param attributes `relu` and `second_cells_before`: how many cells before in the second input the
 *   row is that is added to a row of the first
 * @param inputs maps, second maps, kernel, bias
 */
export function denseForward(
  native: NativeDispatch,
  attributes: readonly NativeAttribute[],
  inputs: readonly [tf.Tensor3D, tf.Tensor3D, tf.Tensor2D, tf.Tensor1D],
  residual: tf.Tensor3D | undefined,
): tf.Tensor3D {
  const all = [...attributes, native.boolAttribute('adds_residual', residual !== undefined)];
  const [outputs] = native.runOnTensors(
    'TeletrainDense',
    all,
    [...inputs, residual ?? inputs[3]],
    1,
  );
  // One output of the maps' rank, as asked for.
  return outputs as tf.Tensor3D;
}

/**
 * @param inputs maps, second maps, kernel, and the gradient of the outputs
 * @returns the gradients of maps + second maps, of the kernel and of the bias
 */
export function denseGradients(
  native: NativeDispatch,
  attributes: readonly NativeAttribute[],
  inputs: readonly [tf.Tensor3D, tf.Tensor3D, tf.Tensor2D, tf.Tensor3D],
): tf.Tensor[] {
  return native.runOnTensors('TeletrainDenseGrad', attributes, inputs, 3);
}
