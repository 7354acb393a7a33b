import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { PixelCnnReport } from '../../../../../worker/engine/models/pixel-cnn-report.ts';
import { PixelRnn } from '../../../../../worker/engine/models/pixel-rnn.ts';
import { combine, outputLogits } from '../../../../../worker/engine/models/pixel-rnn-network.ts';
import {
  pixelRnnSpecifications,
  pixelRnnWeights,
} from '../../../../../worker/engine/models/pixel-rnn-weights.ts';
import { Weights } from '../../../../../worker/engine/models/weights.ts';
import { maskedConvolution } from '../../../../../worker/engine/ops/masked-convolution.ts';
import { asMaps, picturesOf, pixelsOf } from '../../../../../worker/engine/ops/pictures.ts';
import { onEachEngine } from '../on-each-engine.ts';
import { type Fault, faults, skewedBiLstm } from '../ops/skewed-diagonal-lstm.ts';
import { influence, type Logits, randomizeWeights } from './causality.ts';

const small = { rows: 7, columns: 6 };

/** A PixelRNN whose layer is the skewed map's, with one of the known faults or without. */
function networkWith(fault: Fault | undefined): { logits: Logits; weights: Weights } {
  const shape = { seed: 1, layers: 1, units: 3, outputUnits: 4 };
  const weights = new Weights(shape.seed, pixelRnnSpecifications(shape));
  const network = pixelRnnWeights(weights, shape.layers);
  const logits: Logits = (pictures) =>
    tf.tidy(() => {
      const pixels = pixelsOf(pictures, small);
      const { kernel, bias } = network.input;
      let maps = maskedConvolution(asMaps(pixels), kernel, bias, small, 'A');
      for (const layer of network.layers) {
        const states = skewedBiLstm(maps, layer, small, fault);
        maps = combine(layer, maps, states, tf.zerosLike(states));
      }
      const flat: tf.Tensor2D = tf.reshape(outputLogits(network, maps), pixels.shape);
      return picturesOf(flat, small);
    });
  return { logits, weights };
}

onEachEngine(() => {
  describe.each([1, 2, 3])('a PixelRNN of %i layers', (layers) => {
    it.each([11, 12, 13])('tells no logit of its own or a later pixel (weights %i)', (seed) => {
      const model = new PixelRnn({ seed, layers, units: 3, outputUnits: 4 }, small);
      randomizeWeights(model.variables, seed);
      const { leaks, seen, reachesFromFirstToLast } = influence((p) => model.logits(p), small);
      model.dispose();
      expect(leaks).toBe(0);
      expect(reachesFromFirstToLast).toBe(true);
      // Every later logit sees every pixel: 42 · 41 / 2 pairs, but where a rounded sum stays equal.
      expect(seen).toBeGreaterThan(0.95 * 861);
    });
  });

  it.each(faults)('catches the known fault "%s"', (fault) => {
    const { logits, weights } = networkWith(fault);
    randomizeWeights(weights.variables, 11);
    const { leaks } = influence(logits, small);
    weights.dispose();
    expect(leaks).toBeGreaterThan(0);
  });

  it('finds the layer causal in which the known faults were planted', () => {
    const { logits, weights } = networkWith(undefined);
    randomizeWeights(weights.variables, 11);
    const { leaks } = influence(logits, small);
    weights.dispose();
    expect(leaks).toBe(0);
  });

  it('tells nothing of the future over a whole digit', () => {
    const size = { rows: 28, columns: 28 };
    const model = new PixelRnn({ seed: 5, layers: 2, units: 4, outputUnits: 4 });
    randomizeWeights(model.variables, 5);
    const some = Array.from({ length: 41 }, (_, index) => 19 * index);
    const { leaks, seen } = influence((p) => model.logits(p), size, some);
    model.dispose();
    expect(leaks).toBe(0);
    expect(seen).toBeGreaterThan(1000);
  });

  it('finds the report’s network causal, and blind to all but the three rows above', () => {
    const size = { rows: 28, columns: 28 };
    const model = new PixelCnnReport({ seed: 5 });
    randomizeWeights(model.variables, 5);
    const logits: Logits = (pictures) => model.logits(pictures);
    const somePixels = [0, 27, 28, 391, 406, 700, 783];
    const { leaks, seen, reachesFromFirstToLast } = influence(logits, size, somePixels);
    model.dispose();
    expect(leaks).toBe(0);
    expect(reachesFromFirstToLast).toBe(false);
    expect(seen).toBeGreaterThan(0);
    expect(seen).toBeLessThanOrEqual(7 * 24);
  });
});
