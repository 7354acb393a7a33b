import type { Variable } from '@tensorflow/tfjs-core';
import type { StatefulOptimizer } from '../models/model.ts';
import { exchangeAverages } from './averages.ts';
import type { LoadedCheckpoint } from './load.ts';
import { restoreVariables, toTensor } from './tensors.ts';

/**
 * Sets a network and its optimizer to where a checkpoint was saved.
 * @throws TeletrainError `checkpoint-mismatch`.
 */
export function restoreTraining(
  checkpoint: LoadedCheckpoint,
  variables: ReadonlyMap<string, Variable>,
  optimizer: StatefulOptimizer,
): void {
  const { weights, slots } = exchangeAverages(checkpoint);
  restoreVariables(variables, weights);
  const tensors = new Map([...slots].map(([name, slot]) => [name, toTensor(slot)]));
  optimizer.restore(checkpoint.state.optimizer.iterations, tensors);
  for (const tensor of tensors.values()) tensor.dispose();
}
