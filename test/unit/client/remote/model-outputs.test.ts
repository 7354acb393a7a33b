import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { outputsOf } from '../../../../client/remote/model-outputs.ts';

test('as many outputs are counted on as tfjs’ own model.json names, in each of its forms', () => {
  const input = tf.input({ shape: [2] });
  const heads = [1, 2, 3].map(
    (units) => tf.layers.dense({ units }).apply(input) as tf.SymbolicTensor,
  );
  const model = tf.model({ inputs: input, outputs: heads });
  // What tfjs gives as an object when no text is asked for.
  const topology = model.toJSON(null, false) as object;
  const forms = [
    topology,
    { modelTopology: topology },
    { modelTopology: { model_config: topology } },
    { model_config: topology },
    { config: { outputLayers: [1, 2, 3] } },
  ];
  for (const form of forms) {
    expect(outputsOf(form)).toBe(3);
    expect(outputsOf(JSON.stringify(form))).toBe(3);
  }
  const stack = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  expect(outputsOf(stack.toJSON(null, false) as object)).toBe(1);
  model.dispose();
  stack.dispose();
});

test.each(['{', '[]', 'null', '{"config":{"output_layers":3}}', '{"config":[]}'])(
  'what is no model, as %s, is left to the worker to refuse',
  (text) => expect(outputsOf(text)).toBe(1),
);
