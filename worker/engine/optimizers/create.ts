import type { Variable } from '@tensorflow/tfjs-core';
import type { AnySettings } from '../../../shared/recipes.ts';
import type { StatefulOptimizer } from '../models/model.ts';
import { adam } from './adam.ts';
import { Optimizer } from './optimizer.ts';
import { rmsprop } from './rmsprop.ts';

type OptimizerSettings = Pick<AnySettings, 'optimizer' | 'learningRate'> &
  Partial<Pick<AnySettings, 'emaMomentum'>>;

/** The optimizer that the settings name, with Keras' defaults but for its learning rate. */
export function createOptimizer(
  { optimizer, learningRate, emaMomentum = 0 }: OptimizerSettings,
  variables: ReadonlyMap<string, Variable>,
): StatefulOptimizer {
  const formula = optimizer === 'adam' ? adam() : rmsprop();
  return new Optimizer(formula, variables, { learningRate, averageMomentum: emaMomentum });
}
