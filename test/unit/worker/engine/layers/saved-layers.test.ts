import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
});
