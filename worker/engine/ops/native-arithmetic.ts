import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import type { NativeDispatch, NativeTensor } from './native-dispatch.ts';

/** The operations of a recurrence as TensorFlow operations called by name. */
export function nativeArithmetic(native: NativeDispatch): Arithmetic<NativeTensor> {
  const float = [native.floatType];
  const transposed = (a: boolean, b: boolean) => [
    native.boolAttribute('transpose_a', a),
    native.boolAttribute('transpose_b', b),
    native.floatType,
  ];
  const products = [
    transposed(false, false),
    transposed(false, true),
    transposed(true, false),
    transposed(true, true),
  ];

  const concat = (parts: readonly NativeTensor[], axis: number) => {
    const axisTensor = native.int32(axis);
    const result = native.run(
      'ConcatV2',
      [
        native.intAttribute('N', parts.length),
        native.floatType,
        native.typeAttribute('Tidx', 'int32'),
      ],
      [...parts, axisTensor],
    );
    native.release(axisTensor);
    return result;
  };

  return {
    fromTensor: (tensor) => native.borrow(tensor),
    // A matrix by this interface's contract: only operations on matrices made it.
    toTensor: (matrix) => native.adopt(matrix) as Tensor2D,
    release: (...matrices) => {
      for (const matrix of matrices) {
        native.release(matrix);
      }
    },

    matMul: (a, b, transposeA = false, transposeB = false) =>
      native.run(
        'MatMul',
        // The index is within 0 to 3.
        products[(transposeA ? 2 : 0) + (transposeB ? 1 : 0)] as (typeof products)[number],
        [a, b],
      ),
    zerosLike: (a) => native.run('ZerosLike', float, [a]),
    add: (a, b) => native.run('AddV2', float, [a, b]),
    addAll: (terms) =>
      native.run('AddN', [native.intAttribute('N', terms.length), native.floatType], terms),
    multiply: (a, b) => native.run('Mul', float, [a, b]),
    tanh: (a) => native.run('Tanh', float, [a]),
    sigmoid: (a) => native.run('Sigmoid', float, [a]),
    tanhGradient: (y, dy) => native.run('TanhGrad', float, [y, dy]),
    sigmoidGradient: (y, dy) => native.run('SigmoidGrad', float, [y, dy]),

    splitRows: (a, sizes) => {
      const sizesTensor = native.int32(sizes);
      const axis = native.int32(0);
      const parts = native.runMany(
        'SplitV',
        [
          native.intAttribute('num_split', sizes.length),
          native.floatType,
          native.typeAttribute('Tlen', 'int32'),
        ],
        [a, sizesTensor, axis],
        sizes.length,
      );
      native.release(sizesTensor);
      native.release(axis);
      return parts;
    },
    concatRows: (parts) =>
      parts.length === 1 ? native.run('Identity', float, parts) : concat(parts, 0),
    splitColumns: (a, count) => {
      const axis = native.int32(1);
      const parts = native.runMany(
        'Split',
        [native.intAttribute('num_split', count), native.floatType],
        [axis, a],
        count,
      );
      native.release(axis);
      return parts;
    },
    concatColumns: (parts) => concat(parts, 1),
  };
}
