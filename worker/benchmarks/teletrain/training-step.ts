import type { Tensor } from '@tensorflow/tfjs-core';
import type { Batch, TrainableModel } from '../../engine/models/model.ts';
import { readPictures, readReviews } from '../read-inputs.ts';
import type { Prepared } from '../serve.ts';
import type { WorkloadOf } from '../workload.ts';
import type { EngineParts } from './engine-parts.ts';

/** A whole training step as the training loop does it: loss and accuracy read, gradients applied. */
export function sentimentStep(parts: EngineParts, workload: WorkloadOf<'sentiment'>): Prepared {
  const { tf } = parts;
  const { layer, layers, units, batch, timesteps, vocabulary, embeddingUnits } = workload;
  const shape = { seed: 1, layers, units, timesteps, vocabulary, embeddingUnits };
  const model = new parts.sentiment.SentimentModel(layer, shape);
  const batches = readReviews(workload).map(({ tokens, labels }) => ({
    inputs: tf.tensor2d(tokens, [batch, timesteps], 'int32'),
    targets: tf.tensor1d(Float32Array.from(labels)),
    size: batch,
  }));
  return trainingStep(parts, model, batches, {
    optimizer: 'rmsprop',
    learningRate: workload.learningRate,
    clipNorm: 0,
  });
}

export function pixelRnnStep(parts: EngineParts, workload: WorkloadOf<'pixel-rnn'>): Prepared {
  const { layers, units, outputUnits, batch, learningRate, clipNorm } = workload;
  const settings = parts.recipes.completeSettings('digits-pixel-rnn', {
    ...{ layers, units, outputUnits, learningRate, clipNorm },
    batchSize: batch,
  });
  const model = parts.create.createModel('digits-pixel-rnn', settings);
  const batches = readPictures(workload).map((pixels) => {
    const inputs = parts.tf.tensor4d(pixels, [batch, 28, 28, 1]);
    return { inputs, targets: inputs, size: batch };
  });
  return trainingStep(parts, model, batches, settings);
}

function trainingStep(
  { tf, optimizers, applyGradients }: EngineParts,
  model: TrainableModel,
  batches: readonly Batch[],
  settings: Parameters<EngineParts['optimizers']['createOptimizer']>[0] & { clipNorm: number },
): Prepared {
  const optimizer = optimizers.createOptimizer(settings, model.variables);
  const { clipNorm } = settings;
  const apply = applyGradients.applyGradients;
  // A clone of before the optimizers' kernels, such as 5243f98, takes the variables as well:
  // `--earlier` compares with it how far training steps have come.
  const update = (given: Parameters<typeof apply>[0], gradients: Parameters<typeof apply>[1]) =>
    apply.length > 3
      ? Reflect.apply(apply, undefined, [given, model.variables, gradients, clipNorm])
      : apply(given, gradients, clipNorm);
  let taken = 0;
  return {
    step() {
      // There is at least one batch.
      const batch = batches[taken++ % batches.length] as Batch;
      const { loss, metrics, gradients } = model.lossAndGradients(batch);
      read([loss, ...Object.values(metrics)]);
      update(optimizer, gradients);
      tf.dispose([loss, { ...metrics }]);
    },
  };
}

function read(scalars: readonly Tensor[]): void {
  for (const scalar of scalars) {
    if (!Number.isFinite(scalar.dataSync()[0])) throw new Error('The loss is not a number.');
  }
}
