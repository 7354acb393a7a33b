import * as tf from '@tensorflow/tfjs-core';
import type { WithArithmetic } from './arithmetic.ts';
import { nativeArithmetic } from './native-arithmetic.ts';
import { type NativeDispatch, nativeDispatch } from './native-dispatch.ts';
import { tensorArithmetic } from './tensor-arithmetic.ts';

/** `composed` asks for plain tfjs operations also where the native engine runs. */
export type Implementation = 'best' | 'composed';

/** The native engine's operations where it runs and may be used, for an operation it has whole. */
export function chooseNative(implementation: Implementation): NativeDispatch | undefined {
  return implementation === 'best' ? nativeDispatch() : undefined;
}

/** Runs a recurrence by native operations called by name, or by plain tfjs operations elsewhere. */
export function compute<Result>(
  implementation: Implementation,
  computation: WithArithmetic<Result>,
): Result {
  const native = chooseNative(implementation);
  return native ? computation(nativeArithmetic(native)) : computation(tensorArithmetic);
}

/** Whether a gradient will be asked for, so that an operation has to keep what it needs. */
export function gradientWanted(): boolean {
  return tf.engine().isTapeOn();
}
