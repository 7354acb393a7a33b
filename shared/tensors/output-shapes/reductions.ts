import * as tf from '@tensorflow/tfjs-core';
import { like, type Output, type OutputRules, required, rulesFor } from './output.ts';

function reduced(
  x: tf.TensorInfo | undefined,
  axis: number | number[] | undefined,
  keepDims: boolean,
  dtype?: tf.DataType,
): Output {
  const { shape, dtype: own } = required(x);
  // No axis means all of them.
  const axes = tf.util.parseAxisParam(axis as number, shape);
  const [outer] = tf.backend_util.computeOutAndReduceShapes(shape, axes);
  return {
    shape: keepDims ? tf.backend_util.expandShapeToKeepDim(outer, axes) : outer,
    dtype: dtype ?? own,
  };
}

/** Kernels that make one number of many, or running numbers. */
export const reductions: OutputRules = {
  ...rulesFor(['All', 'Any'], ([x], { axis, keepDims }) => reduced(x, axis, keepDims, 'bool')),
  ...rulesFor(['Min', 'Prod', 'Sum'], ([x], { axis, keepDims }) => reduced(x, axis, keepDims)),
  Mean: ([x], { axis, keepDims }) => {
    const { dtype } = required(x);
    return reduced(x, axis, keepDims, dtype === 'complex64' ? dtype : 'float32');
  },
  Max: ([x], { reductionIndices, keepDims }) => reduced(x, reductionIndices, keepDims),
  ...rulesFor(['ArgMax', 'ArgMin'], ([x], { axis }) => reduced(x, axis, false, 'int32')),
  ...rulesFor(['Cumprod', 'Cumsum', 'LogSoftmax', 'Softmax', 'LRN', 'LRNGrad'], like(0)),
  FusedBatchNorm: like(0),
  UnsortedSegmentSum: ([first, second], { numSegments }) => {
    const x = required(first);
    return {
      shape: [numSegments, ...x.shape.slice(required(second).shape.length)],
      dtype: x.dtype,
    };
  },
  Bincount: ([, weights], { size }) => ({ shape: [size], dtype: required(weights).dtype }),
  DenseBincount: ([x, weights], { size }) => ({
    shape: [...required(x).shape.slice(0, -1), size],
    dtype: required(weights).dtype,
  }),
  TopK: ([first], { k }) => {
    const x = required(first);
    const shape = [...x.shape.slice(0, -1), k];
    return [
      { shape, dtype: x.dtype },
      { shape, dtype: 'int32' },
    ];
  },
};
