import * as tf from '@tensorflow/tfjs-core';
import type { WithArithmetic } from './arithmetic.ts';
import { nativeArithmetic, nativeStackArithmetic } from './native-arithmetic.ts';
import { type NativeDispatch, nativeDispatch } from './native-dispatch.ts';
import { tensorArithmetic, tensorStackArithmetic } from './tensor-arithmetic.ts';

/**
 * `operations` leaves our own kernels aside and uses TensorFlow's operations alone; `composed` asks
 * for plain tfjs operations also where the native engine runs.
 */
export type Implementation = 'best' | 'operations' | 'composed';

let best: Implementation = 'best';

/** Says what `best` means from now on, so that whole networks can be compared by implementation. */
export function setBest(implementation: Implementation): void {
  best = implementation;
}

function resolved(implementation: Implementation): Implementation {
  return implementation === 'best' ? best : implementation;
}

/** The native engine's operations where it runs and may be used, for an operation it has whole. */
export function chooseNative(implementation: Implementation): NativeDispatch | undefined {
  return resolved(implementation) === 'composed' ? undefined : nativeDispatch();
}

/** The native engine where it has our own kernels, which compute on the CPU, and may use them. */
export function chooseKernels(implementation: Implementation): NativeDispatch | undefined {
  const native = resolved(implementation) === 'best' ? nativeDispatch() : undefined;
  return native?.usesGpu === false ? native : undefined;
}

/** Runs a recurrence by native operations called by name, or by plain tfjs operations elsewhere. */
export function compute<Result>(
  implementation: Implementation,
  computation: WithArithmetic<Result>,
): Result {
  const native = chooseNative(implementation);
  return native ? computation(nativeArithmetic(native)) : computation(tensorArithmetic);
}

/** The same over stacks of matrices, each operation for the whole stack. */
export function computeStacks<Result>(
  implementation: Implementation,
  computation: WithArithmetic<Result, tf.Tensor3D>,
): Result {
  const native = chooseNative(implementation);
  return native ? computation(nativeStackArithmetic(native)) : computation(tensorStackArithmetic);
}

/** Whether a gradient will be asked for, so that an operation has to keep what it needs. */
export function gradientWanted(): boolean {
  return tf.engine().isTapeOn();
}
