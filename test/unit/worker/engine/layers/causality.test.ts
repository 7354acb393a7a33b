import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fusedLayers } from '../../../../../worker/engine/layers/fused-layers.ts';
import { registerFusedLayers } from '../../../../../worker/engine/layers/register.ts';
import type { RNN } from '../../../../../worker/engine/layers/stock.ts';
import { onEachEngine, randomTensor } from '../on-each-engine.ts';

const [timesteps, features, units] = [7, 4, 9];
const { simpleRNN, lstm, gru, bidirectional } = fusedLayers;
const whole = { units, returnSequences: true } as const;

const sequenceLayers = {
  SimpleRNN: () => simpleRNN(whole),
  LSTM: () => lstm(whole),
  GRU: () => gru(whole),
  'GRU that resets before': () => gru({ ...whole, resetAfter: false }),
};

let unregister: () => void;
beforeEach(() => {
  unregister = registerFusedLayers();
});
afterEach(() => unregister());

interface Layer {
  apply(inputs: tf.Tensor): unknown;
  getWeights(): tf.Tensor[];
  setWeights(weights: tf.Tensor[]): void;
}

/** For each changed timestep those whose outputs, of the given units, have another bit. */
function changedBy(layer: Layer, from: number, to: number): number[][] {
  return tf.tidy(() => {
    const inputs = randomTensor('inputs', [timesteps, timesteps, features]);
    layer.apply(inputs);
    const weights = layer.getWeights();
    layer.setWeights(weights.map(({ shape }, place) => randomTensor(`${place}`, shape, 0.6)));
    // Example n is changed at timestep n.
    const eye = tf.reshape(tf.eye(timesteps), [timesteps, timesteps, 1]);
    const changes = tf.mul(eye, randomTensor('changes', [timesteps, timesteps, features]));
    const bits = (given: tf.Tensor) => {
      const outputs = tf.slice(layer.apply(given) as tf.Tensor, [0, 0, from], [-1, -1, to - from]);
      return new Uint32Array(outputs.dataSync().slice().buffer);
    };
    const [before, after] = [bits(inputs), bits(tf.add(inputs, changes))];
    const width = to - from;
    const isChanged = (example: number, timestep: number) => {
      const start = (example * timesteps + timestep) * width;
      const part = (values: Uint32Array) => values.slice(start, start + width).join();
      return part(before) !== part(after);
    };
    return steps.map((example) => steps.filter((timestep) => isChanged(example, timestep)));
  });
}

const steps = Array.from({ length: timesteps }, (_, timestep) => timestep);
const fromThenOn = steps.map((changed) => steps.filter((timestep) => timestep >= changed));
const untilThen = steps.map((changed) => steps.filter((timestep) => timestep <= changed));

onEachEngine(() => {
  it.each(Object.entries(sequenceLayers))(
    'the layer %s knows what came before and not a bit of what comes after',
    (_, make) => {
      expect(changedBy(make(), 0, units)).toEqual(fromThenOn);
    },
  );

  it.each(Object.entries(sequenceLayers))(
    'of a Bidirectional %s one half knows what came before alone, the other what comes after',
    (_, make) => {
      const layer = bidirectional({ layer: make() as RNN });
      expect(changedBy(layer, 0, units)).toEqual(fromThenOn);
      expect(changedBy(layer, units, 2 * units)).toEqual(untilThen);
    },
  );
});
