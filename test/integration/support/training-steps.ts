/**
 * Trains every recipe for some hundred steps on the native engine, small, with clipping and averages,
 * and prints as JSON how many tensors there were after the first steps and after the last.
 */
import * as tf from '@tensorflow/tfjs-core';
import { completeSettings, type RecipeName, recipeNames } from '../../../shared/recipes.ts';
import { openEngine } from '../../../worker/engine/backend/engine.ts';
import { createModel } from '../../../worker/engine/models/create.ts';
import type { Batch, TrainableModel } from '../../../worker/engine/models/model.ts';
import { createOptimizer } from '../../../worker/engine/optimizers/create.ts';
import { createRandom, type Random } from '../../../worker/engine/random.ts';
import { applyGradients } from '../../../worker/engine/training/apply-gradients.ts';

const firstSteps = 5;
const small: Readonly<Record<RecipeName, Readonly<Record<string, unknown>>>> = {
  'imdb-simple-rnn': { vocabulary: 300, timesteps: 12, batchSize: 8, emaMomentum: 0.9 },
  'imdb-lstm': { vocabulary: 300, timesteps: 12, batchSize: 8, optimizer: 'adam', clipNorm: 1 },
  'digits-pixel-rnn': { units: 3, outputUnits: 4, layers: 2, batchSize: 2, emaMomentum: 0.9 },
  'digits-pixel-cnn-report': { batchSize: 2, clipNorm: 1 },
};

function batchOf(recipe: RecipeName, random: Random): Batch {
  if (recipe.startsWith('digits')) {
    const pixels = Float32Array.from({ length: 2 * 784 }, () => random.nextBelow(2));
    const inputs = tf.tensor(pixels, [2, 28, 28, 1]);
    return { inputs, targets: inputs, size: 2 };
  }
  const tokens = Int32Array.from({ length: 8 * 12 }, () => random.nextBelow(300));
  const targets = Int32Array.from({ length: 8 }, () => random.nextBelow(2));
  return {
    inputs: tf.tensor(tokens, [8, 12], 'int32'),
    targets: tf.tensor(targets, [8], 'int32'),
    size: 8,
  };
}

async function counts(recipe: RecipeName, liveTensors: () => number, steps: number) {
  const settings = completeSettings(recipe, small[recipe]);
  const model: TrainableModel = createModel(recipe, settings);
  const optimizer = createOptimizer(settings, model.variables);
  const random = createRandom(1, recipe);
  const count = () => ({ tensors: tf.memory().numTensors, handles: liveTensors() });
  let first = count();
  for (let step = 1; step <= steps; step++) {
    const batch = batchOf(recipe, random);
    const { loss, metrics, gradients } = model.lossAndGradients(batch);
    applyGradients(optimizer, gradients, settings.clipNorm);
    const checked = await optimizer.withAverages(async () => model.evaluate(batch));
    const made = [loss, checked.loss, ...Object.values(metrics), ...Object.values(checked.metrics)];
    tf.dispose([...made, batch.inputs, batch.targets]);
    if (step === firstSteps) first = count();
  }
  const last = count();
  optimizer.dispose();
  model.dispose();
  return { first, last };
}

const engine = await openEngine({ require: 'native' });
// What is made once and kept for the process is made here.
for (const recipe of recipeNames) await counts(recipe, engine.liveTensors, 1);
const before = engine.liveTensors();
const found: Record<string, unknown> = {};
for (const recipe of recipeNames) found[recipe] = await counts(recipe, engine.liveTensors, 300);
console.log(JSON.stringify({ recipes: found, before, after: engine.liveTensors() }));
