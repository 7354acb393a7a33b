import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { randomTensor } from '../on-each-engine.ts';

/** Steps of SGD on the whole of one batch. */
export async function train(model: LayersModel, inputs: tf.Tensor | tf.Tensor[], epochs = 1) {
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const [first] = Array.isArray(inputs) ? inputs : [inputs];
  const targets = model.outputs.map(({ shape: [, ...others] }) =>
    randomTensor('targets', [first?.shape[0] ?? 0, ...others] as [number]),
  );
  await model.fit(inputs, targets, { epochs, batchSize: 1000, verbose: 0 });
  tf.dispose(targets);
}
