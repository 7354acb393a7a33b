import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import type { EngineReport } from '../../../../../shared/engine-report.ts';
import type { EventBody, RunStatus } from '../../../../../shared/events.ts';
import { completeSettings } from '../../../../../shared/recipes.ts';
import { initialProgress, type Progress } from '../../../../../worker/engine/checkpoints/state.ts';
import type { Dataset, Split } from '../../../../../worker/engine/datasets/dataset.ts';
import type {
  Batch,
  GradientResult,
  StepResult,
  TrainableModel,
} from '../../../../../worker/engine/models/model.ts';
import { createOptimizer } from '../../../../../worker/engine/optimizers/create.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { gatherReviews } from '../../../../../worker/engine/training/batches.ts';
import { CheckpointKeeper } from '../../../../../worker/engine/training/checkpoint-keeper.ts';
import { RunControls } from '../../../../../worker/engine/training/controls.ts';
import { GaugeReader } from '../../../../../worker/engine/training/gauges.ts';
import { TrainingLoop } from '../../../../../worker/engine/training/loop.ts';
import type { RunParts } from '../../../../../worker/engine/training/parts.ts';
import { StatusReporter } from '../../../../../worker/engine/training/status.ts';

/** Logistic regression on four integers: a network small enough for tfjs' plain CPU backend. */
export class LogisticRegression implements TrainableModel {
  readonly #weights = tf.tidy(() => tf.variable(tf.zeros([4, 1])));
  readonly variables = new Map([['dense/kernel', this.#weights]]);
  /** Steps whose loss is not a number. */
  brokenAtBatch = Number.POSITIVE_INFINITY;
  #batches = 0;

  logits(inputs: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const features = tf.cast(tf.reshape(inputs, [inputs.shape[0] ?? 0, 4]), 'float32');
      return tf.matMul(features, this.#weights);
    });
  }

  evaluate(batch: Batch): StepResult {
    return tf.tidy(() => {
      const { margins } = this.#margins(batch);
      const loss: tf.Scalar = tf.mean(tf.softplus(tf.neg(margins)));
      const accuracy: tf.Scalar = tf.mean(tf.cast(tf.greater(margins, 0), 'float32'));
      return { loss, metrics: { accuracy } };
    });
  }

  lossAndGradients(batch: Batch): GradientResult {
    this.#batches += 1;
    const { loss, metrics } = this.evaluate(batch);
    if (this.#batches < this.brokenAtBatch) {
      return { loss, metrics, gradients: { 'dense/kernel': this.#gradient(batch) } };
    }
    loss.dispose();
    return { loss: tf.scalar(Number.NaN), metrics, gradients: {} };
  }

  /** d/dw of mean(softplus(-m)) with m = y x w: -mean(y x sigmoid(-m)). */
  #gradient(batch: Batch): tf.Tensor {
    return tf.tidy(() => {
      const { features, signs, margins } = this.#margins(batch);
      const pull = tf.mul(tf.sigmoid(tf.neg(margins)), tf.div(signs, -batch.size));
      return tf.matMul(features, tf.reshape(pull, [batch.size, 1]), true);
    });
  }

  #margins({ inputs, targets, size }: Batch) {
    const features = tf.cast(tf.reshape(inputs, [size, 4]), 'float32');
    const signs = tf.sub(tf.mul(targets, 2), 1);
    const margins = tf.mul(tf.reshape(this.logits(inputs), [size]), signs);
    return { features, signs, margins };
  }

  dispose(): void {
    this.#weights.dispose();
  }
}

export const tinyReport: EngineReport = {
  kind: 'wasm',
  device: 'cpu',
  tfjsVersion: tf.version_core,
  nodeVersion: process.version,
  threads: 1,
  cpu: 'any',
  cpuFeatures: [],
  candidates: [],
};

function split(name: string, count: number): Split {
  const random = createRandom(7, name);
  const inputs = Int32Array.from({ length: 4 * count }, () => random.nextBelow(5) - 2);
  const labels = Uint8Array.from({ length: count }, (_, at) => ((inputs[4 * at] ?? 0) > 0 ? 1 : 0));
  return { count, inputShape: [4], inputs, labels };
}

export const tinyDataset: Dataset = {
  name: 'imdb',
  sources: [{ file: 'made-up', sha256: '0'.repeat(64) }],
  train: split('train', 22),
  validation: split('validation', 9),
  test: split('test', 9),
};

export interface TinyRun {
  readonly parts: RunParts;
  readonly model: LogisticRegression;
  readonly controls: RunControls;
  readonly keeper: CheckpointKeeper;
  readonly loop: TrainingLoop;
  readonly events: EventBody[];
  readonly statuses: RunStatus[];
  [Symbol.dispose](): void;
}

/** A run with 6 steps an epoch whose events are kept. @param checkpointFolder `<run>/checkpoints`. */
export async function tinyRun(
  checkpointFolder: string,
  given: Readonly<Record<string, unknown>> = {},
  options: { progress?: Progress; liveTensors?: () => number; kept?: () => Promise<void> } = {},
): Promise<TinyRun> {
  await tf.setBackend('cpu');
  const settings = completeSettings('imdb-simple-rnn', { batchSize: 4, epochs: 2, ...given });
  const model = new LogisticRegression();
  const optimizer = createOptimizer(settings, model.variables);
  const events: EventBody[] = [];
  const statuses: RunStatus[] = [];
  const controls = new RunControls();
  const liveTensors = options.liveTensors ?? (() => tf.memory().numTensors);
  const gauges = new GaugeReader(liveTensors, 'cpu');
  const status = new StatusReporter('tiny', gauges, (report) => statuses.push(report));
  const parts: RunParts = {
    record: {
      format: 1,
      id: 'tiny',
      recipe: 'imdb-simple-rnn',
      settings,
      quick: false,
      createdAt: 0,
      version: '0.1.0',
    },
    settings,
    engine: { report: tinyReport, liveTensors },
    dataset: tinyDataset,
    model,
    optimizer,
    gather: gatherReviews,
    controls,
    journal: {
      send: (event) => events.push(event),
      room: async () => {},
      kept: options.kept ?? (async () => {}),
    },
    status,
    showDrawing: () => {},
    checkpointFolder,
    version: '0.1.0',
  };
  const keeper = new CheckpointKeeper(parts);
  const loop = new TrainingLoop(parts, options.progress ?? initialProgress(settings), keeper);
  return {
    parts,
    model,
    controls,
    keeper,
    loop,
    events,
    statuses,
    [Symbol.dispose]() {
      status.close();
      model.dispose();
      optimizer.dispose();
    },
  };
}
