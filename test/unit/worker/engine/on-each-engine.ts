import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe } from 'vitest';
import { type Engine, openEngine } from '../../../../worker/engine/backend/engine.ts';
import { createRandom } from '../../../../worker/engine/random.ts';

/** Runs the same tests on the native engine and on WebAssembly. */
export function onEachEngine(tests: (engine: () => Engine, kind: Engine['kind']) => void): void {
  describe.each(['native', 'wasm'] as const)('on the engine %s', (kind) => {
    let engine: Engine | undefined;
    beforeAll(async () => {
      engine = await openEngine(kind === 'wasm' ? { prefer: 'wasm', require: 'nothing' } : {});
      if (engine.kind !== kind) {
        const reason = engine.report.candidates.map(({ reason }) => reason).join('; ');
        console.warn(`Not checked on the native engine, which this machine cannot have: ${reason}`);
      }
    });
    afterAll(() => {
      tf.disposeVariables();
    });
    tests(() => {
      if (engine === undefined) {
        throw new Error('The engine is opened before the first test.');
      }
      return engine;
    }, kind);
  });
}

/** A tensor of numbers uniform in [-scale, scale). */
export function randomTensor<R extends tf.Rank>(
  name: string,
  shape: tf.ShapeMap[R],
  scale = 1,
): tf.Tensor<R> {
  const random = createRandom(7, name);
  const size = (shape as number[]).reduce((product, dimension) => product * dimension, 1);
  const values = Float32Array.from({ length: size }, () => (2 * random.next() - 1) * scale);
  return tf.tensor<R>(values, shape);
}

export function largestDifference(a: tf.Tensor, b: tf.Tensor): number {
  if (a.shape.join() !== b.shape.join()) {
    throw new Error(`[${a.shape}] is compared with [${b.shape}].`);
  }
  const other = b.dataSync();
  let largest = 0;
  for (const [index, value] of a.dataSync().entries()) {
    const difference = Math.abs(value - (other[index] ?? Number.NaN));
    // NaN is larger than anything.
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}

/** A function of tensors with its value weighted by fixed numbers, so that all gradients matter. */
export type Differentiable = (...inputs: tf.Tensor[]) => tf.Tensor;

export function valueAndGradients(f: Differentiable, inputs: tf.Tensor[]) {
  const weighted = (...given: tf.Tensor[]) =>
    tf.tidy(() => {
      const value = f(...given);
      return tf.sum(tf.mul(value, randomTensor('weights of the value', value.shape))) as tf.Scalar;
    });
  const { grads, value } = tf.valueAndGrads(weighted)(inputs);
  value.dispose();
  return { value: tf.tidy(() => f(...inputs)), gradients: grads, weighted };
}

/**
 * The derivative along a random direction of each input by central differences, over what the
 * gradients say: about 1.
 */
export function directionalRatios(f: Differentiable, inputs: tf.Tensor[], step = 1e-2): number[] {
  const { gradients, weighted } = valueAndGradients(f, inputs);
  return inputs.map((input, place) => {
    const direction = randomTensor(`direction ${place}`, input.shape);
    const at = (distance: number) => {
      const moved = inputs.map((other, index) =>
        index === place ? tf.add(other, tf.mul(direction, distance)) : other,
      );
      return weighted(...moved).dataSync()[0] ?? Number.NaN;
    };
    const expected = tf.sum(tf.mul(gradients[place] as tf.Tensor, direction)).dataSync()[0];
    return (at(step) - at(-step)) / (2 * step) / (expected ?? Number.NaN);
  });
}
