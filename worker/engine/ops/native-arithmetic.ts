import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Arithmetic } from './arithmetic.ts';
import type { NativeAttribute, NativeDispatch, NativeTensor } from './native-dispatch.ts';

/** The operations of a recurrence as TensorFlow operations called by name. */
export function nativeArithmetic(native: NativeDispatch): Arithmetic<NativeTensor> {
  return arithmeticOver<Tensor2D>(native, 0, 'MatMul', (a, b) => [
    native.boolAttribute('transpose_a', a),
    native.boolAttribute('transpose_b', b),
  ]);
}

/** The same over stacks of matrices, [stack, rows, columns]. */
export function nativeStackArithmetic(native: NativeDispatch): Arithmetic<NativeTensor, Tensor3D> {
  return arithmeticOver<Tensor3D>(native, 1, 'BatchMatMulV2', (a, b) => [
    native.boolAttribute('adj_x', a),
    native.boolAttribute('adj_y', b),
  ]);
}

/** @param rows the axis of a matrix's rows; its columns follow */
function arithmeticOver<AsTensor extends Tensor>(
  native: NativeDispatch,
  rows: number,
  product: 'MatMul' | 'BatchMatMulV2',
  transposing: (a: boolean, b: boolean) => NativeAttribute[],
): Arithmetic<NativeTensor, AsTensor> {
  const float = [native.floatType];
  const transposed = (a: boolean, b: boolean) => [...transposing(a, b), native.floatType];
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
    // Of that rank by this interface's contract: only operations on such tensors made it.
    toTensor: (matrix) => native.adopt(matrix) as AsTensor,
    release: (...matrices) => {
      for (const matrix of matrices) {
        native.release(matrix);
      }
    },

    matMul: (a, b, transposeA = false, transposeB = false) =>
      native.run(
        product,
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
      const axis = native.int32(rows);
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
      parts.length === 1 ? native.run('Identity', float, parts) : concat(parts, rows),
    splitColumns: (a, count) => {
      const axis = native.int32(rows + 1);
      const parts = native.runMany(
        'Split',
        [native.intAttribute('num_split', count), native.floatType],
        [axis, a],
        count,
      );
      native.release(axis);
      return parts;
    },
    concatColumns: (parts) => concat(parts, rows + 1),
  };
}
