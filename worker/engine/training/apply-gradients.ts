import { disposeGradients, type Gradients } from '../models/gradients.ts';
import type { StatefulOptimizer } from '../models/model.ts';

/** One update with gradients clipped to a global norm (0: unclipped). Disposes the gradients. */
export function applyGradients(
  optimizer: StatefulOptimizer,
  gradients: Gradients,
  clipNorm: number,
): void {
  optimizer.apply(gradients, clipNorm);
  disposeGradients(gradients);
}
