import * as tf from '@tensorflow/tfjs-core';
import { like, type OutputRule, type OutputRules, required, rulesFor } from './output.ts';

const matrixProduct: OutputRule = ([first, second], { transposeA, transposeB }) => {
  const a = required(first);
  const b = required(second);
  const rows = a.shape.at(transposeA ? -1 : -2);
  const columns = b.shape.at(transposeB ? -2 : -1);
  const inner = [a.shape.at(transposeA ? -2 : -1), b.shape.at(transposeB ? -1 : -2)];
  if (rows === undefined || columns === undefined || inner[0] !== inner[1]) {
    throw new Error(
      `A product of [${a.shape}] and [${b.shape}] (transposed: ${transposeA === true}, ${transposeB === true}) does not exist.`,
    );
  }
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(
    a.shape.slice(0, -2),
    b.shape.slice(0, -2),
  );
  return { shape: [...batch, rows, columns], dtype: tf.upcastType(a.dtype, b.dtype) };
};

const convolution =
  (depthwise: boolean): OutputRule =>
  ([x, filter], { strides, pad, dataFormat, dilations, dimRoundingMode }) => {
    const { outShape } = tf.backend_util.computeConv2DInfo(
      required(x).shape as [number, number, number, number],
      required(filter).shape as [number, number, number, number],
      strides,
      dilations ?? 1,
      pad,
      dimRoundingMode,
      depthwise,
      tf.backend_util.convertConv2DDataFormat(dataFormat ?? 'NHWC'),
    );
    return { shape: outShape, dtype: required(x).dtype };
  };

const pool: OutputRule = ([x], { filterSize, strides, pad, dimRoundingMode }) => {
  const { shape, dtype } = required(x);
  const { outShape } = tf.backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  return { shape: outShape, dtype };
};

const pool3D: OutputRule = ([x], { filterSize, strides, pad, dimRoundingMode, dataFormat }) => {
  const { shape, dtype } = required(x);
  const { outShape } = tf.backend_util.computePool3DInfo(
    shape as [number, number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
    dataFormat,
  );
  return { shape: outShape, dtype };
};

/** `ij,jk->ik`: each letter is a length, those after the arrow are the output's. */
const einsum: OutputRule = (inputs, { equation }: tf.EinsumAttrs) => {
  const [left = '', right, ...more] = equation.replace(/\s/g, '').split('->');
  const terms = left.split(',');
  const lengths = new Map<string, number>();
  const isRight = terms.every((term, place) => {
    const shape = inputs[place]?.shape;
    return (
      shape?.length === term.length &&
      [...term].every((letter, axis) => {
        const length = shape[axis] ?? 0;
        const known = lengths.get(letter) ?? length;
        lengths.set(letter, known);
        return known === length;
      })
    );
  });
  // What does not fit, TensorFlow explains best.
  if (!isRight || right === undefined || more.length > 0) return undefined;
  if (terms.length !== inputs.length || terms.length > 2) return undefined;
  return {
    shape: [...right].flatMap((letter) => lengths.get(letter) ?? []),
    dtype: required(inputs[0]).dtype,
  };
};

/** Matrix products, convolutions and poolings, with their gradients. */
export const products: OutputRules = {
  ...rulesFor(['BatchMatMul', '_FusedMatMul'], matrixProduct),
  Einsum: einsum,
  ...rulesFor(['Conv2D', 'FusedConv2D'], convolution(false)),
  ...rulesFor(['DepthwiseConv2dNative', 'FusedDepthwiseConv2D'], convolution(true)),
  Conv3D: ([x, filter], { strides, pad, dataFormat, dilations }) => ({
    shape: tf.backend_util.computeConv3DInfo(
      required(x).shape as [number, number, number, number, number],
      required(filter).shape as [number, number, number, number, number],
      strides,
      dilations,
      pad,
      false,
      dataFormat === 'NCDHW' ? 'channelsFirst' : 'channelsLast',
    ).outShape,
    dtype: required(x).dtype,
  }),
  ...rulesFor(
    ['Conv2DBackpropFilter', 'Conv3DBackpropFilterV2', 'DepthwiseConv2dNativeBackpropFilter'],
    ([x], { filterShape }) => ({ shape: filterShape, dtype: required(x).dtype }),
  ),
  ...rulesFor(
    ['Conv2DBackpropInput', 'Conv3DBackpropInputV2', 'DepthwiseConv2dNativeBackpropInput'],
    ([dy], { inputShape }) => ({ shape: inputShape, dtype: required(dy).dtype }),
  ),
  ...rulesFor(['AvgPool', 'MaxPool'], pool),
  ...rulesFor(['AvgPool3D', 'MaxPool3D'], pool3D),
  ...rulesFor(['AvgPoolGrad', 'AvgPool3DGrad', 'MaxPoolGrad', 'MaxPool3DGrad'], like(1)),
  Dilation2D: ([x, filter], { strides, pad, dilations }) => ({
    shape: tf.backend_util.computeDilation2DInfo(
      required(x).shape as [number, number, number, number],
      required(filter).shape as [number, number, number],
      strides,
      pad,
      'NHWC',
      dilations,
    ).outShape,
    dtype: required(x).dtype,
  }),
  Dilation2DBackpropInput: like(0),
  Dilation2DBackpropFilter: like(1),
};
