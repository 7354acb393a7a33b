import { dispose, type Tensor, type Variable } from '@tensorflow/tfjs-core';
import type { StatefulOptimizer } from '../models/model.ts';
import { clipByGlobalNorm } from '../optimizers/clip.ts';

/** One update with gradients clipped to a global norm (0: unclipped). Disposes the gradients. */
export function applyGradients(
  optimizer: StatefulOptimizer,
  variables: ReadonlyMap<string, Variable>,
  gradients: Readonly<Record<string, Tensor>>,
  clipNorm: number,
): void {
  let applied = gradients;
  if (clipNorm > 0) {
    const clipped = clipByGlobalNorm(gradients, clipNorm);
    clipped.norm.dispose();
    dispose(gradients);
    applied = clipped.gradients;
  }
  optimizer.apply(variables, applied);
  dispose(applied);
}
