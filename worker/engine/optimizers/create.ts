import type { Variable } from '@tensorflow/tfjs-core';
import type { AnySettings } from '../../../shared/recipes.ts';
import type { StatefulOptimizer } from '../models/model.ts';
import { Adam } from './adam.ts';
import { Rmsprop } from './rmsprop.ts';

/** The optimizer that the settings name, with Keras' defaults but for its learning rate. */
export function createOptimizer(
  settings: Pick<AnySettings, 'optimizer' | 'learningRate'>,
  variables: ReadonlyMap<string, Variable>,
): StatefulOptimizer {
  const { optimizer, learningRate } = settings;
  return optimizer === 'adam'
    ? new Adam(variables, { learningRate })
    : new Rmsprop(variables, { learningRate });
}
