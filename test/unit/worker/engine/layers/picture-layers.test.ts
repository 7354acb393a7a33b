import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fusedLayers } from '../../../../../worker/engine/layers/fused-layers.ts';
import { registerFusedLayers } from '../../../../../worker/engine/layers/register.ts';
import { PixelRnn } from '../../../../../worker/engine/models/pixel-rnn.ts';
import { diagonalLstm } from '../../../../../worker/engine/ops/diagonal-lstm.ts';
import { influence, randomizeWeights } from '../models/causality.ts';
import { largestDifference, onEachEngine, randomTensor } from '../on-each-engine.ts';
import { saveAndLoad, savedLayers } from './model-files.ts';
import { train } from './train.ts';

const size = { rows: 5, columns: 6 };
const shape = { seed: 3, layers: 2, units: 3, outputUnits: 4 };
const { maskedConv2d, diagonalBiLSTM, diagonalLSTM } = fusedLayers;

let unregister: () => void;
beforeEach(() => {
  unregister = registerFusedLayers();
});
afterEach(() => unregister());

function pictures(count: number): tf.Tensor4D {
  return tf.tidy(() => {
    const values = randomTensor<tf.Rank.R4>('pictures', [count, size.rows, size.columns, 1]);
    return tf.cast(tf.greater(values, 0), 'float32');
  });
}

/** The recipe's network as a stack of layers, to its logits. */
function pixelRnnOfLayers(): LayersModel {
  const { units, outputUnits } = shape;
  const pointwise = (filters: number) => [layers.reLU(), layers.conv2d({ filters, kernelSize: 1 })];
  return sequential({
    layers: [
      maskedConv2d({
        filters: 2 * units,
        kernelSize: 7,
        mask: 'A',
        inputShape: [size.rows, size.columns, 1],
      }),
      ...Array.from({ length: shape.layers }, () => diagonalBiLSTM({ units })),
      ...pointwise(outputUnits),
      ...pointwise(outputUnits),
      ...pointwise(1),
    ],
  });
}

onEachEngine((engine) => {
  it('PixelRNN made of layers gives the logits of the recipe’s network with the same weights', () => {
    const network = new PixelRnn(shape, size);
    randomizeWeights(network.variables, 4);
    const model = pixelRnnOfLayers();
    const weights = [...network.variables.values()];
    expect(model.weights.length).toBe(weights.length);
    model.setWeights(
      model
        .getWeights()
        .map((weight, place) => tf.reshape(weights[place] as tf.Tensor, weight.shape)),
    );
    const inputs = pictures(4);
    const expected = network.logits(inputs);
    expect(largestDifference(model.predict(inputs) as tf.Tensor, expected)).toBeLessThan(1e-5);
    network.dispose();
    model.dispose();
  });

  it('a PixelRNN of layers tells no logit of its own or a later pixel', () => {
    const model = pixelRnnOfLayers();
    const variables = model.weights.map((weight) => weight.read() as tf.Variable);
    const named = new Map(variables.map((variable, place) => [`${place}`, variable]));
    randomizeWeights(named, 12);
    const { leaks, reachesFromFirstToLast } = influence(
      (given) => model.predict(given) as tf.Tensor,
      size,
    );
    model.dispose();
    expect(leaks).toBe(0);
    expect(reachesFromFirstToLast).toBe(true);
  });

  it('a PixelRNN of layers is saved and loaded whole', async () => {
    const model = pixelRnnOfLayers();
    const loaded = await saveAndLoad(model);
    expect(savedLayers(loaded)).toEqual(savedLayers(model));
    expect(loaded.layers.map((layer) => layer.getClassName()).slice(0, 3)).toEqual([
      'MaskedConv2D',
      'DiagonalBiLSTM',
      'DiagonalBiLSTM',
    ]);
    const inputs = pictures(2);
    const [expected, shown] = [model, loaded].map((each) => each.predict(inputs) as tf.Tensor);
    expect(largestDifference(shown as tf.Tensor, expected as tf.Tensor)).toBe(0);
  });

  it.each(['left', 'right'] as const)(
    'a DiagonalLSTM from the %s is `diagonalLstm` of pictures',
    async (direction) => {
      const layer = diagonalLSTM({ units: 3, direction, inputShape: [5, 6, 2] });
      const model = sequential({ layers: [layer] });
      layer.setWeights(
        layer.getWeights().map((weight, place) => randomTensor(`${place}`, weight.shape)),
      );
      const [kernel, recurrentKernel, bias, initialOutput, initialCell] = layer.getWeights();
      const weights = { kernel, recurrentKernel, bias, initialOutput, initialCell };
      const inputs = randomTensor<tf.Rank.R4>('inputs', [4, 5, 6, 2]);
      const maps: tf.Tensor3D = tf.transpose(tf.reshape(inputs, [4, 30, 2]), [1, 0, 2]);
      const h = diagonalLstm(maps, weights as never, size, direction);
      const expected = tf.reshape(tf.transpose(h, [1, 0, 2]), [4, 5, 6, 3]);
      expect(largestDifference(model.predict(inputs) as tf.Tensor, expected)).toBe(0);
      const loaded = await saveAndLoad(model);
      expect(largestDifference(loaded.predict(inputs) as tf.Tensor, expected)).toBe(0);
    },
  );

  it('a masked convolution sees all features of the pixels before, and with mask B its own', () => {
    for (const mask of ['A', 'B'] as const) {
      const layer = maskedConv2d({ filters: 2, kernelSize: 3, mask });
      const inputs = randomTensor<tf.Rank.R4>('inputs', [2, 4, 5, 3]);
      const shown = layer.apply(inputs) as tf.Tensor;
      const alive = tf.tensor4d([1, 1, 1, 1, mask === 'B' ? 1 : 0, 0, 0, 0, 0], [3, 3, 1, 1]);
      const [kernel, bias] = layer.getWeights() as [tf.Tensor4D, tf.Tensor1D];
      const masked = tf.mul<tf.Tensor4D>(kernel, alive);
      const expected = tf.add(tf.conv2d(inputs, masked, 1, 'same'), bias);
      expect(largestDifference(shown, expected)).toBeLessThan(1e-5);
    }
  });

  it('training changes every weight that is alive, and leaves nothing behind', async () => {
    const work = async () => {
      const model = pixelRnnOfLayers();
      const before = model.getWeights().map((weight) => weight.clone());
      const inputs = pictures(3);
      await train(model, inputs, 2);
      for (const [place, weight] of model.getWeights().entries()) {
        expect(largestDifference(weight, before[place] as tf.Tensor)).toBeGreaterThan(0);
      }
      tf.dispose([before, inputs]);
      model.optimizer.dispose();
      model.dispose();
    };
    await work();
    const before = engine().liveTensors();
    await work();
    expect(engine().liveTensors()).toBe(before);
  });

  it('a kernel without a centre is refused', () => {
    expect(() => maskedConv2d({ filters: 2, kernelSize: 4, mask: 'A' })).toThrow(
      expect.objectContaining({ code: 'layer-option-unsupported' }),
    );
  });
});
