import * as tf from '@tensorflow/tfjs-core';

/**
 * Disposes what tfjs kept for the gradients of a computation that threw: its own clean-up follows the
 * backward pass alone (tfjs-core's `Engine.gradients`).
 */
export function disposeAbandonedTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth !== 0) return;
  for (const { saved } of state.activeTape ?? []) tf.dispose(saved ?? []);
  // What tfjs has when no gradient is being computed, too.
  state.activeTape = [];
}
