import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../random.ts';
import type { Candidate, ProbedLayer } from './probed-layer.ts';
import type { ProbeSize } from './sizes.ts';

/** All that a layer gives at one size, read back: its results, and the gradient of each input. */
export type LayerValues = readonly { readonly name: string; readonly values: Float32Array }[];

/**
 * Computes a layer without a gradient, as a sampler does, and again with one, as a training step
 * does. The gradients are those of a sum of all results, each number weighted by another.
 *
 * @param at the candidate, or the reference
 */
export function valuesOf(layer: ProbedLayer, at: Candidate['at'], size: ProbeSize): LayerValues {
  return tf.tidy(() => {
    const call = prepare(layer, at, size);
    const names = [
      ...layer.results(size).map(({ name }) => name),
      ...layer.inputs(size).map(({ name }) => `the gradient of ${name}`),
    ];
    return [...call.results(), ...call.gradients()].map((tensor, place) => ({
      name: names[place] ?? `result ${place}`,
      values: Float32Array.from(tensor.dataSync()),
    }));
  });
}

/** A layer ready to be called again and again. */
export interface PreparedLayer {
  results(): tf.Tensor[];
  /** There and back; throws what the layer throws, and leaves nothing behind then either. */
  gradients(): tf.Tensor[];
}

/** Makes a layer's inputs, the same on every backend. They belong to the surrounding tidy. */
export function prepare(layer: ProbedLayer, at: Candidate['at'], size: ProbeSize): PreparedLayer {
  const compute = at(size);
  const inputs = layer.inputs(size).map(({ name, shape }) => {
    const scale = /^(inputs|initial)/.test(name) ? 1 : 1 / Math.sqrt(size.units);
    return randomTensor(`${layer.layer} ${name}`, shape, scale);
  });
  const weights = layer
    .results(size)
    .map(({ name, shape }) => randomTensor(`weights of ${name}`, shape, 1));
  const weighted = (...given: tf.Tensor[]): tf.Scalar =>
    tf.addN(
      // Every result has its weights.
      compute(...given).map((result, place) => tf.sum(tf.mul(result, weights[place] as tf.Tensor))),
    );
  return {
    results: () => compute(...inputs),
    gradients() {
      try {
        return tf.valueAndGrads(weighted)(inputs).grads;
      } catch (error) {
        forgetTape();
        throw error;
      }
    },
  };
}

/** tfjs keeps what was saved for a gradient until that has been computed, also where it fails. */
function forgetTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth > 0) return;
  for (const { saved } of state.activeTape ?? []) tf.dispose(saved ?? []);
  state.activeTape = [];
}

/** Numbers in [-scale, scale). */
function randomTensor(name: string, shape: readonly number[], scale: number): tf.Tensor {
  const random = createRandom(1, name);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const values = Float32Array.from({ length: size }, () => (2 * random.next() - 1) * scale);
  return tf.tensor(values, [...shape]);
}
