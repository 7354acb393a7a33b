import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, it } from 'vitest';
import { completeSettings } from '../../../../../shared/recipes.ts';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { digitSize } from '../../../../../worker/engine/models/digit-size.ts';
import type { Batch, TrainableModel } from '../../../../../worker/engine/models/model.ts';
import { PixelCnnReport } from '../../../../../worker/engine/models/pixel-cnn-report.ts';
import { PixelRnn } from '../../../../../worker/engine/models/pixel-rnn.ts';
import { SentimentModel } from '../../../../../worker/engine/models/sentiment.ts';
import { type Implementation, setBest } from '../../../../../worker/engine/ops/choose.ts';
import type { PictureSize } from '../../../../../worker/engine/ops/diagonal-order.ts';
import { createOptimizer } from '../../../../../worker/engine/optimizers/create.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { applyGradients } from '../../../../../worker/engine/training/apply-gradients.ts';

const steps = 25;
const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn(
    'NOT CHECKED: losses with the kernels against those without. Missing: the native engine on a CPU.',
  );
}
afterEach(() => setBest('best'));

const sentiment = {
  ...completeSettings('imdb-simple-rnn'),
  vocabulary: 60,
  timesteps: 24,
  layers: 2,
  batchSize: 12,
};
const digits = { ...completeSettings('digits-pixel-rnn'), units: 5, layers: 2, batchSize: 6 };
const report = { ...completeSettings('digits-pixel-cnn-report'), batchSize: 4 };
const picture = { rows: 7, columns: 6 };

function reviews(step: number): Batch {
  const random = createRandom(step, 'reviews');
  const below = (limit: number, length: number) =>
    Int32Array.from({ length }, () => Math.floor(random.next() * limit));
  const { batchSize, timesteps, vocabulary } = sentiment;
  return {
    inputs: tf.tensor2d(below(vocabulary, batchSize * timesteps), [batchSize, timesteps], 'int32'),
    targets: tf.tensor1d(below(2, batchSize), 'int32'),
    size: batchSize,
  };
}

const pictures =
  (size: PictureSize, batchSize: number) =>
  (step: number): Batch => {
    const random = createRandom(step, 'pictures');
    const shape = [batchSize, size.rows, size.columns, 1] as const;
    const length = shape.reduce((product, dimension) => product * dimension);
    const pixels = Float32Array.from({ length }, () => Number(random.next() < 0.3));
    const inputs = tf.tensor4d(pixels, [...shape]);
    return { inputs, targets: inputs, size: batchSize };
  };

function curve(
  implementation: Implementation,
  make: () => TrainableModel,
  settings: typeof sentiment | typeof digits | typeof report,
  batchOf: (step: number) => Batch,
): number[] {
  setBest(implementation);
  const model = make();
  const optimizer = createOptimizer(settings, model.variables);
  return Array.from({ length: steps }, (_, step) =>
    tf.tidy(() => {
      const { loss, gradients } = model.lossAndGradients(batchOf(step));
      applyGradients(optimizer, gradients, settings.clipNorm);
      return loss.dataSync()[0] ?? Number.NaN;
    }),
  );
}

it
  .runIf(hasKernels)
  .each([
    [
      'SimpleRNN reviews',
      () => new SentimentModel('SimpleRNN', sentiment),
      sentiment,
      reviews,
    ] as const,
    ['LSTM reviews', () => new SentimentModel('LSTM', sentiment), sentiment, reviews] as const,
    ['GRU reviews', () => new SentimentModel('GRU', sentiment), sentiment, reviews] as const,
    [
      'PixelRNN pictures',
      () => new PixelRnn(digits, picture),
      digits,
      pictures(picture, digits.batchSize),
    ] as const,
    [
      'the report’s PixelCNN’s pictures',
      () => new PixelCnnReport(report),
      report,
      pictures(digitSize, report.batchSize),
    ] as const,
  ])(
  'training on %s follows the same losses with the kernels as without',
  (_, make, settings, batchOf) => {
    const before = curve('composed', make, settings, batchOf);
    const after = curve('best', make, settings, batchOf);
    expect(new Set(before).size).toBeGreaterThan(steps / 2);
    after.forEach((loss, step) => {
      expect(Math.abs(loss / (before[step] ?? Number.NaN) - 1)).toBeLessThan(1e-5);
    });
  },
);
