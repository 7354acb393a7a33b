import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { TeletrainError } from '../../../../../shared/errors.ts';
import { clipByGlobalNorm } from '../../../../../worker/engine/optimizers/clip.ts';
import { createOptimizer } from '../../../../../worker/engine/optimizers/create.ts';
import { onEachEngine, randomTensor } from '../on-each-engine.ts';

function variables(): Map<string, tf.Variable> {
  return new Map([
    ['a/kernel', tf.variable(randomTensor('kernel', [3, 4]))],
    ['a/bias', tf.variable(randomTensor('bias', [4]))],
  ]);
}

function gradientsAt(step: number): Record<string, tf.Tensor> {
  return {
    'a/kernel': randomTensor(`kernel ${step}`, [3, 4]),
    'a/bias': randomTensor(`bias ${step}`, [4]),
  };
}

function values(tensors: ReadonlyMap<string, tf.Tensor>): Record<string, number[]> {
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, [...tensor.dataSync()]]));
}

onEachEngine(() => {
  describe.each(['rmsprop', 'adam'] as const)('the optimizer %s', (optimizer) => {
    const settings = { optimizer, learningRate: 0.01 };

    it('goes on bit for bit from what was saved', () => {
      const whole = variables();
      const straight = createOptimizer(settings, whole);
      for (let step = 0; step < 6; step++) straight.apply(gradientsAt(step));

      const parts = variables();
      const first = createOptimizer(settings, parts);
      for (let step = 0; step < 3; step++) first.apply(gradientsAt(step));
      const saved = new Map([...first.slots()].map(([name, slot]) => [name, tf.clone(slot)]));
      const second = createOptimizer(settings, parts);
      second.restore(first.iterations, saved);
      first.dispose();
      for (let step = 3; step < 6; step++) second.apply(gradientsAt(step));

      expect(second.iterations).toBe(6);
      expect(values(parts)).toEqual(values(whole));
      expect(values(second.slots())).toEqual(values(straight.slots()));
    });

    it('refuses a state that is missing, foreign or of another shape, and keeps its own', () => {
      const own = variables();
      const trained = createOptimizer(settings, own);
      trained.apply(gradientsAt(0));
      const before = values(trained.slots());
      const complete = new Map(trained.slots());
      const [name] = complete.keys();
      if (name === undefined) throw new Error('no slots');
      const missing = new Map(complete);
      missing.delete(name);
      const foreign = new Map(complete).set('other/a/kernel/velocity', tf.zeros([1]));
      const misshapen = new Map(complete).set(name, tf.zeros([2, 2]));
      for (const wrong of [missing, foreign, misshapen, new Map()]) {
        expect(() => trained.restore(9, wrong)).toThrow(TeletrainError);
        expect(() => trained.restore(9, wrong)).toThrow(
          expect.objectContaining({ code: 'checkpoint-mismatch' }),
        );
      }
      expect(trained.iterations).toBe(1);
      expect(values(trained.slots())).toEqual(before);
    });
  });

  it('clips gradients by their global norm only when it is larger', () => {
    const gradients = { a: tf.tensor1d([3, 0]), b: tf.tensor2d([[4]]) };
    const clipped = clipByGlobalNorm(gradients, 1);
    expect(clipped.norm.dataSync()[0]).toBeCloseTo(5, 6);
    expect(clipped.gradients.a?.dataSync()[0]).toBeCloseTo(0.6, 6);
    expect(clipped.gradients.b?.dataSync()[0]).toBeCloseTo(0.8, 6);
    const kept = clipByGlobalNorm(gradients, 10);
    expect([...(kept.gradients.a?.dataSync() ?? [])]).toEqual([3, 0]);
  });
});
