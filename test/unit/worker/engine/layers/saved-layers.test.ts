import type * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, layers } from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GruLayer } from '../../../../../worker/engine/layers/gru-layer.ts';
import { LstmLayer } from '../../../../../worker/engine/layers/lstm-layer.ts';
import { registerFusedLayers } from '../../../../../worker/engine/layers/register.ts';
import { largestDifference, onEachEngine } from '../on-each-engine.ts';
import {
  initialStatesOf,
  kernelCases,
  type LayerCase,
  loopCases,
  modelOf,
  sequencesOf,
  size,
} from './layer-cases.ts';
import { saveAndLoad, savedLayers } from './model-files.ts';

let unregister: () => void;
beforeEach(() => {
  unregister = registerFusedLayers();
});
afterEach(() => unregister());

function outputsOf(model: LayersModel, layer: LayerCase): tf.Tensor[] {
  const outputs = model.predict([sequencesOf(layer), ...initialStatesOf(layer)]);
  return Array.isArray(outputs) ? outputs : [outputs];
}

/** tfjs refuses `resetAfter`, so no layer of its own can be compared. */
const inStock = Object.entries({ ...kernelCases, ...loopCases }).filter(
  ([name]) => !name.includes('GRU') || name.includes('resets before'),
);

onEachEngine(() => {
  it.each(inStock)(
    '%s is saved as tfjs saves its own layer, loads there and back',
    async (_, layer) => {
      const model = modelOf(layer);
      const expected = outputsOf(model, layer);
      unregister();
      const stock = await saveAndLoad(model);
      expect(stock.layers.at(-1)?.constructor).not.toBe(model.layers.at(-1)?.constructor);
      expect(savedLayers(stock)).toEqual(savedLayers(model));
      if (!layer.masked) {
        for (const [place, output] of outputsOf(stock, layer).entries()) {
          expect(largestDifference(output, expected[place] as tf.Tensor)).toBeLessThan(1e-5);
        }
      }
      registerFusedLayers();
      const back = await saveAndLoad(stock);
      expect(back.layers.at(-1)?.constructor).toBe(model.layers.at(-1)?.constructor);
      for (const [place, output] of outputsOf(back, layer).entries()) {
        expect(largestDifference(output, expected[place] as tf.Tensor)).toBe(0);
      }
    },
  );

  it('a GRU that resets after is saved and loaded with its two biases', async () => {
    const layer = kernelCases['GRU over all timesteps'] as LayerCase;
    const model = modelOf(layer);
    const loaded = await saveAndLoad(model);
    const [expected] = outputsOf(model, layer);
    expect(loaded.layers.at(-1)?.getWeights().at(-1)?.shape).toEqual([2, 3 * size.units]);
    expect(largestDifference(outputsOf(loaded, layer)[0] as tf.Tensor, expected as tf.Tensor)).toBe(
      0,
    );
  });

  it.each(['GRU over all timesteps', 'LSTM over all timesteps'])(
    'a %s takes the weights by the names that TensorFlow’s converter writes',
    async (name) => {
      const layer = kernelCases[name] as LayerCase;
      const model = modelOf(layer);
      const [expected] = outputsOf(model, layer);
      const cell = `${name.slice(0, 4).trim().toLowerCase()}_cell`;
      const loaded = await saveAndLoad(model, (weight) => weight.replace('/', `/${cell}/`));
      const [shown] = outputsOf(loaded, layer);
      expect(largestDifference(shown as tf.Tensor, expected as tf.Tensor)).toBe(0);
    },
  );

  it.each(['lstm', 'gru'] as const)(
    'a model that tfjs made with its own hard sigmoid means the same once it is loaded: %s',
    async (kind) => {
      const given = { units: size.units, returnSequences: true };
      const layer: LayerCase = {
        make: () => (kind === 'lstm' ? layers.lstm(given) : layers.gru(given)),
      };
      const model = modelOf(layer);
      const [expected] = outputsOf(model, layer);
      const loaded = await saveAndLoad(model);
      expect(loaded.layers.at(-1)).toBeInstanceOf(kind === 'lstm' ? LstmLayer : GruLayer);
      const [shown] = outputsOf(loaded, layer);
      expect(largestDifference(shown as tf.Tensor, expected as tf.Tensor)).toBe(0);
    },
  );
});
