import { disposeGradients, type Gradients } from '../models/gradients.ts';
import type { StatefulOptimizer } from '../models/model.ts';

/**
 * One update with gradients clipped to a global norm (0: unclipped). Disposes the gradients, also where
 * the update throws.
 */
export function applyGradients(
  optimizer: StatefulOptimizer,
  gradients: Gradients,
  clipNorm: number,
): void {
  try {
    optimizer.apply(gradients, clipNorm);
  } finally {
    disposeGradients(gradients);
  }
}
