import * as tf from '@tensorflow/tfjs-core';
import { like, type OutputRule, type OutputRules, required, rulesFor } from './output.ts';

const broadcast =
  (dtype?: tf.DataType): OutputRule =>
  ([first, second]) => {
    const a = required(first);
    const b = required(second);
    return {
      shape: tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]),
      dtype: dtype ?? tf.upcastType(a.dtype, b.dtype),
    };
  };

/** Kernels that work value by value. */
export const elementwise: OutputRules = {
  ...rulesFor(
    [
      ...(['Abs', 'Acos', 'Acosh', 'Asin', 'Asinh', 'Atan', 'Atanh', 'Ceil'] as const),
      ...(['ClipByValue', 'Cos', 'Cosh', 'Elu', 'Erf', 'Expm1', 'Floor'] as const),
      ...(['Identity', 'LeakyRelu', 'Log', 'Log1p', 'Neg', 'OnesLike', 'Reciprocal'] as const),
      ...(['Relu', 'Relu6', 'Round', 'Rsqrt', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Sinh'] as const),
      ...(['Softplus', 'Sqrt', 'Square', 'StaticRegexReplace', 'Step', 'Tan', 'Tanh'] as const),
      ...(['ZerosLike', 'FFT', 'IFFT', 'EluGrad'] as const),
    ],
    like(0),
  ),
  ...rulesFor(['IsFinite', 'IsInf', 'IsNan', 'LogicalNot'], like(0, 'bool')),
  ...rulesFor(['ComplexAbs', 'Real', 'Imag'], like(0, 'float32')),
  Exp: (inputs) => {
    const { shape, dtype } = required(inputs[0]);
    return { shape, dtype: dtype === 'int32' ? 'float32' : dtype };
  },
  Complex: like(0, 'complex64'),
  Cast: ([x], { dtype }: tf.CastAttrs) => ({ shape: required(x).shape, dtype }),
  StringToHashBucketFast: like(0, 'int32'),
  ...rulesFor(
    [
      ...(['Add', 'Atan2', 'BitwiseAnd', 'FloorDiv', 'Maximum', 'Minimum', 'Mod'] as const),
      ...(['Multiply', 'Pow', 'Prelu', 'RealDiv', 'SquaredDifference', 'Sub'] as const),
    ],
    broadcast(),
  ),
  ...rulesFor(
    [
      ...(['Equal', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'NotEqual'] as const),
      ...(['LogicalAnd', 'LogicalOr', 'LogicalXor'] as const),
    ],
    broadcast('bool'),
  ),
  AddN: like(0),
  Select: ([, first, second]) => {
    const t = required(first);
    return { shape: t.shape, dtype: tf.upcastType(t.dtype, required(second).dtype) };
  },
};
