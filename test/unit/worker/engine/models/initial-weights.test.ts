import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { completeSettings, type RecipeName, recipeNames } from '../../../../../shared/recipes.ts';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { createModel } from '../../../../../worker/engine/models/create.ts';
import {
  glorotUniform,
  orthogonal,
  uniform,
  unitForgetBias,
} from '../../../../../worker/engine/models/initializers.ts';
import type { Batch, TrainableModel } from '../../../../../worker/engine/models/model.ts';
import { createOptimizer } from '../../../../../worker/engine/optimizers/create.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { applyGradients } from '../../../../../worker/engine/training/apply-gradients.ts';
import { onEachEngine } from '../on-each-engine.ts';

function weightsOf(name: RecipeName, seed: number): Map<string, Float32Array> {
  const settings = completeSettings(name, { seed });
  const model: TrainableModel = createModel(name, settings);
  const values = new Map(
    [...model.variables].map(([key, variable]) => [key, variable.dataSync<'float32'>().slice()]),
  );
  model.dispose();
  return values;
}

describe('initial weights', () => {
  it.each(recipeNames)(
    'follow from the seed and are the same on every engine (%s)',
    async (name) => {
      await openEngine();
      const first = weightsOf(name, 1);
      expect(weightsOf(name, 1)).toEqual(first);
      expect(weightsOf(name, 2)).not.toEqual(first);
      await openEngine({ prefer: 'wasm', require: 'nothing' });
      expect(weightsOf(name, 1)).toEqual(first);
    },
  );

  it('are orthogonal where Keras’ are, uniform within Keras’ limits, and remember', () => {
    const random = createRandom(1);
    const [rows, columns] = [5, 20];
    const matrix = orthogonal([rows, columns], random);
    for (let a = 0; a < rows; a++) {
      for (let b = 0; b < rows; b++) {
        let product = 0;
        for (let k = 0; k < columns; k++) {
          product += (matrix[a * columns + k] ?? 0) * (matrix[b * columns + k] ?? 0);
        }
        expect(product).toBeCloseTo(Number(a === b), 6);
      }
    }
    const tall = orthogonal([3, 2], random);
    expect((tall[0] ?? 0) * (tall[1] ?? 0) + (tall[2] ?? 0) * (tall[3] ?? 0)).toBeCloseTo(
      -(tall[4] ?? 0) * (tall[5] ?? 0),
      6,
    );
    const glorot = glorotUniform([30, 20], random).map(Math.abs);
    expect(Math.max(...glorot)).toBeLessThanOrEqual(Math.sqrt(6 / 50));
    expect(Math.max(...glorot)).toBeGreaterThan(0.95 * Math.sqrt(6 / 50));
    expect(Math.max(...uniform(0.05)([1000], random).map(Math.abs))).toBeLessThanOrEqual(0.0500001);
    expect([...unitForgetBias([8], random)]).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
  });
});

onEachEngine((engine) => {
  it.each(['digits-pixel-rnn', 'digits-pixel-cnn-report'] as const)(
    'are improved by training, with a constant number of live tensors (%s)',
    (name) => {
      const settings = completeSettings(name, name === 'digits-pixel-rnn' ? { units: 4 } : {});
      const model: TrainableModel = createModel(name, settings);
      const sizes = [...model.variables.values()].map(({ size }) => size);
      if (name === 'digits-pixel-cnn-report') {
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2140);
      }
      const optimizer = createOptimizer(settings, model.variables);
      const random = createRandom(1);
      const losses: number[] = [];
      const counts: number[] = [];
      for (let step = 0; step < 20; step++) {
        const pixels = Float32Array.from({ length: 784 * 2 }, () => Number(random.next() < 0.1));
        const inputs = tf.tensor(pixels, [2, 28, 28, 1]);
        const batch: Batch = { inputs, targets: inputs, size: 2 };
        const { loss, gradients } = model.lossAndGradients(batch);
        applyGradients(optimizer, gradients, 1);
        losses.push(loss.dataSync()[0] ?? Number.NaN);
        tf.dispose([inputs, loss]);
        counts.push(engine().liveTensors());
      }
      expect(new Set(counts.slice(1)).size).toBe(1);
      expect(losses.at(-1)).toBeLessThan(0.95 * (losses[0] ?? 0));
      optimizer.dispose();
      model.dispose();
    },
  );
});
