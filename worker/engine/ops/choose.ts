import * as tf from '@tensorflow/tfjs-core';
import {
  type ImplementationName,
  implementationNames,
  type LayerName,
} from '../../../shared/engine-report.ts';
import type { WithArithmetic } from './arithmetic.ts';
import { nativeArithmetic, nativeStackArithmetic } from './native-arithmetic.ts';
import { type NativeDispatch, nativeDispatch } from './native-dispatch.ts';
import { tensorArithmetic, tensorStackArithmetic } from './tensor-arithmetic.ts';

/**
 * How an operation is to be computed. `best` takes what the engine's probe found right and fastest;
 * a name takes that way, or the next behind it in the order of `implementationNames` where the
 * operation or the engine has it not.
 */
export type Implementation = 'best' | ImplementationName;

let best: Implementation = 'best';

/** Says what `best` means from now on, so that whole networks can be compared by implementation. */
export function setBest(implementation: Implementation): void {
  best = implementation;
}

function resolved(implementation: Implementation): Implementation {
  return implementation === 'best' ? best : implementation;
}

/** For each layer the implementations that may be used, the best first. */
export type Ranking = Readonly<Record<LayerName, readonly ImplementationName[]>>;

/** By backend. */
const rankings = new WeakMap<object, Ranking>();

/** Sets what `best` means for each layer on the backend in use. */
export function setRanking(ranking: Ranking): void {
  rankings.set(tf.backend(), ranking);
}

/** What an engine that was not probed may use: on a GPU nothing that has to be tried first. */
function rankingOf(layer: LayerName): readonly ImplementationName[] {
  const known = rankings.get(tf.backend())?.[layer];
  if (known !== undefined) return known;
  return nativeDispatch()?.usesGpu === false
    ? ['kernel', 'operations', 'composed']
    : ['operations', 'composed'];
}

/** The implementation that a layer runs by, with what it needs. */
export type Choice =
  | { readonly name: 'composed' }
  | { readonly name: Exclude<ImplementationName, 'composed'>; readonly native: NativeDispatch };

/**
 * The implementation that one call of a layer runs by.
 *
 * @param able those that can compute this call, `composed` among them
 */
export function chooseForLayer(
  layer: LayerName,
  implementation: Implementation,
  able: readonly ImplementationName[],
): Choice {
  const native = nativeDispatch();
  const wanted = resolved(implementation);
  const order =
    wanted === 'best'
      ? rankingOf(layer)
      : implementationNames.slice(implementationNames.indexOf(wanted));
  const name = native && order.find((candidate) => able.includes(candidate));
  return native && name && name !== 'composed' ? { name, native } : { name: 'composed' };
}

/** The native engine's operations where it runs and may be used, for an operation it has whole. */
function chooseNative(implementation: Implementation): NativeDispatch | undefined {
  return resolved(implementation) === 'composed' ? undefined : nativeDispatch();
}

/**
 * The native engine where it has our own kernels, which compute on the CPU, and may use them: where
 * the kernel of any layer was found wrong, none is the best any more.
 */
export function chooseKernels(implementation: Implementation): NativeDispatch | undefined {
  const wanted = resolved(implementation);
  if (wanted !== 'kernel' && !(wanted === 'best' && kernelsAreRight())) return undefined;
  const native = nativeDispatch();
  return native?.usesGpu === false ? native : undefined;
}

function kernelsAreRight(): boolean {
  const ranking = rankings.get(tf.backend());
  return ranking === undefined || Object.values(ranking).every((names) => names.includes('kernel'));
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
