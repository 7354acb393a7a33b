import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';

/**
 * The few operations that a recurrence's steps are made of, on float32 matrices. A recurrence
 * written against it runs unchanged on the native engine, where each call is one operation
 * dispatched by name (about 6 µs), and on any other tfjs backend.
 *
 * `Matrix` is opaque, a matrix or a stack of equally many matrices everywhere, of which every
 * operation does all at once; `AsTensor` is what tfjs has for it. Every result belongs to the caller
 * until `release`d or given to `toTensor`; nothing is collected on its own.
 */
export interface Arithmetic<Matrix, AsTensor extends Tensor = Tensor2D> {
  /** A tensor's value, still owned by the tensor: it needs no `release`. */
  fromTensor(tensor: AsTensor): Matrix;
  /** Hands a result over to tfjs, which disposes it as it does any tensor. */
  toTensor(matrix: Matrix): AsTensor;
  release(...matrices: readonly Matrix[]): void;

  matMul(a: Matrix, b: Matrix, transposeA?: boolean, transposeB?: boolean): Matrix;
  zerosLike(a: Matrix): Matrix;
  add(a: Matrix, b: Matrix): Matrix;
  /** The sum of all terms, one or more. */
  addAll(terms: readonly Matrix[]): Matrix;
  multiply(a: Matrix, b: Matrix): Matrix;
  tanh(a: Matrix): Matrix;
  sigmoid(a: Matrix): Matrix;
  /** dy · (1 - y²), where y = tanh(x). */
  tanhGradient(y: Matrix, dy: Matrix): Matrix;
  /** dy · y · (1 - y), where y = sigmoid(x). */
  sigmoidGradient(y: Matrix, dy: Matrix): Matrix;

  /** Blocks of consecutive rows, also empty ones; a block's rows share the memory of `a` where the engine can. */
  splitRows(a: Matrix, sizes: readonly number[]): Matrix[];
  /** One part or more, one below the other. */
  concatRows(parts: readonly Matrix[]): Matrix;
  /** `count` blocks of equally many columns. */
  splitColumns(a: Matrix, count: number): Matrix[];
  /** Two parts or more, side by side. */
  concatColumns(parts: readonly Matrix[]): Matrix;
}

/** A computation that needs an arithmetic but not to know which. */
export type WithArithmetic<Result, AsTensor extends Tensor = Tensor2D> = <Matrix>(
  arithmetic: Arithmetic<Matrix, AsTensor>,
) => Result;
