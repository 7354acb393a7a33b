import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { readReviews } from '../read-inputs.ts';
import { type Prepared, serve } from '../serve.ts';
import type { Workload, WorkloadOf } from '../workload.ts';
import { openStockBackend } from './stock-backend.ts';

/**
 * The benchmark's participant that is stock tfjs: tfjs-layers and tfjs-node as published, on the same
 * TensorFlow inside the same addon. Nothing of ours is registered.
 */
await openStockBackend((message) => process.stderr.write(`${message}\n`));

function prepare(workload: Workload): Prepared {
  switch (workload.kind) {
    case 'sentiment':
      return sentiment(workload);
    case 'dispatch':
      return dispatch(workload);
    default:
      throw new Error(`tfjs-layers has no ${workload.kind}.`);
  }
}

function sentiment(workload: WorkloadOf<'sentiment'>): Prepared {
  const { batch, timesteps } = workload;
  const model = network(workload);
  model.compile({
    optimizer: tf.train.rmsprop(workload.learningRate),
    loss: 'binaryCrossentropy',
    metrics: ['accuracy'],
  });
  const batches = readReviews(workload).map(({ tokens, labels }) => ({
    tokens: tf.tensor2d(tokens, [batch, timesteps], 'int32'),
    labels: tf.tensor2d(Float32Array.from(labels), [batch, 1]),
  }));
  let taken = 0;
  return {
    async step() {
      // There is at least one batch.
      const { tokens, labels } = batches[taken++ % batches.length] as (typeof batches)[number];
      await model.trainOnBatch(tokens, labels);
    },
    ...(workload.layer === 'GRU' && { note: 'resetAfter false: it has no other' }),
  };
}

function network(workload: WorkloadOf<'sentiment'>): LayersModel {
  const { layer, units, timesteps, vocabulary, embeddingUnits } = workload;
  const model = sequential();
  model.add(
    layers.embedding({
      inputDim: vocabulary,
      outputDim: embeddingUnits,
      inputLength: timesteps,
    }),
  );
  for (let index = 0; index < workload.layers; index++) {
    const options = { units, returnSequences: index < workload.layers - 1 };
    if (layer === 'SimpleRNN') model.add(layers.simpleRNN(options));
    else if (layer === 'LSTM') model.add(layers.lstm(options));
    else model.add(layers.gru(options));
  }
  model.add(layers.dense({ units: 1, activation: 'sigmoid' }));
  return model;
}

function dispatch({ operations }: WorkloadOf<'dispatch'>): Prepared {
  const [left, right] = [tf.tensor1d([1, 2, 3, 4]), tf.tensor1d([5, 6, 7, 8])];
  return {
    step() {
      for (let call = 0; call < operations; call++) tf.add(left, right).dispose();
    },
  };
}

await serve({ tfjs: tf.version_core }, prepare);
