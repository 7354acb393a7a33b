import { performance } from 'node:perf_hooks';
import * as tf from '@tensorflow/tfjs-core';
import { completeSettings } from '../../shared/recipes.ts';
import type { Batch, TrainableModel } from '../../worker/engine/models/model.ts';
import { PixelRnn } from '../../worker/engine/models/pixel-rnn.ts';
import { SentimentModel } from '../../worker/engine/models/sentiment.ts';
import { type Implementation, setBest } from '../../worker/engine/ops/choose.ts';
import { createOptimizer } from '../../worker/engine/optimizers/create.ts';
import { createRandom } from '../../worker/engine/random.ts';
import { applyGradients } from '../../worker/engine/training/apply-gradients.ts';

const reviewSettings = {
  ...completeSettings('imdb-simple-rnn'),
  vocabulary: 500,
  timesteps: 60,
  layers: 2,
  batchSize: 32,
};
const pictureSettings = {
  ...completeSettings('digits-pixel-rnn'),
  units: 16,
  layers: 2,
  batchSize: 16,
};
const picture = { rows: 14, columns: 14 };

interface Network {
  readonly settings: typeof reviewSettings | typeof pictureSettings;
  readonly make: () => TrainableModel;
  readonly batch: (step: number) => Batch;
}

/** The recipes' networks, smaller. */
export const networks: Readonly<Record<string, Network>> = {
  'SimpleRNN x 2': reviews('SimpleRNN'),
  'LSTM x 2': reviews('LSTM'),
  'GRU x 2': reviews('GRU'),
  'PixelRNN, 2 layers': {
    settings: pictureSettings,
    make: () => new PixelRnn(pictureSettings, picture),
    batch(step) {
      const random = createRandom(step, 'pictures');
      const shape: [number, number, number, number] = [16, picture.rows, picture.columns, 1];
      const length = shape.reduce((product, dimension) => product * dimension);
      const pixels = Float32Array.from({ length }, () => Number(random.next() < 0.3));
      const inputs = tf.tensor4d(pixels, shape);
      return { inputs, targets: inputs, size: shape[0] };
    },
  },
};

function reviews(layer: 'SimpleRNN' | 'LSTM' | 'GRU'): Network {
  const { batchSize, timesteps, vocabulary } = reviewSettings;
  return {
    settings: reviewSettings,
    make: () => new SentimentModel(layer, reviewSettings),
    batch(step) {
      const random = createRandom(step, 'reviews');
      const below = (limit: number, length: number) =>
        Int32Array.from({ length }, () => random.nextBelow(limit));
      const tokens = below(vocabulary, batchSize * timesteps);
      return {
        inputs: tf.tensor2d(tokens, [batchSize, timesteps], 'int32'),
        targets: tf.tensor1d(below(2, batchSize), 'int32'),
        size: batchSize,
      };
    },
  };
}

const steps = 25;

/** The losses of the first steps from the same weights on the same batches, and the last ten's mean time. */
export function losses({ settings, make, batch }: Network, implementation: Implementation) {
  setBest(implementation);
  const model = make();
  const optimizer = createOptimizer(settings, model.variables);
  let start = 0;
  const losses = Array.from({ length: steps }, (_, step) => {
    if (step === steps - 10) start = performance.now();
    return tf.tidy(() => {
      const { loss, gradients } = model.lossAndGradients(batch(step));
      applyGradients(optimizer, gradients, settings.clipNorm);
      return loss.dataSync()[0] ?? Number.NaN;
    });
  });
  const milliseconds = (performance.now() - start) / 10;
  optimizer.dispose();
  model.dispose();
  setBest('best');
  return { losses, milliseconds };
}
