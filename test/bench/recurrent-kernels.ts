/**
 * The recurrent kernels against TensorFlow's operations called by name, layer by layer and in whole
 * training steps, interleaved: `node test/bench/recurrent-kernels.ts [repeats]`. Medians of the time
 * on the clock and of the processors' time over all threads, which other programs on the machine
 * disturb less. The limit is the arithmetic of the layer's products divided by the best matrix
 * product measured here.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { completeSettings, recipeNamed } from '../../shared/recipes.ts';
import { openEngine } from '../../worker/engine/backend/engine.ts';
import { createModel } from '../../worker/engine/models/create.ts';
import { setBest } from '../../worker/engine/ops/choose.ts';
import { diagonalLstm } from '../../worker/engine/ops/diagonal-lstm.ts';
import { lstm } from '../../worker/engine/ops/lstm.ts';
import { simpleRnn } from '../../worker/engine/ops/simple-rnn.ts';
import { createOptimizer } from '../../worker/engine/optimizers/create.ts';
import { applyGradients } from '../../worker/engine/training/apply-gradients.ts';

interface Case {
  readonly name: string;
  /** Floating-point operations of the matrix products. */
  readonly operations: number;
  step(): void;
}

const repeats = z.coerce.number().int().min(3).default(9).parse(process.argv[2]);

interface Duration {
  readonly wall: number;
  readonly processor: number;
}

/** Milliseconds. */
function timed(body: () => void): Duration {
  const start = performance.now();
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return { wall: performance.now() - start, processor: (user + system) / 1000 };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Waits for the result; on the CPU engine an operation ends before it returns. */
const settle = (tensors: readonly tf.Tensor[]) => {
  tensors[0]?.dataSync();
  tf.dispose([...tensors]);
};

function layerCase(
  name: string,
  operations: number,
  shapes: readonly (readonly number[])[],
  run: (...inputs: tf.Tensor[]) => tf.Tensor,
): Case {
  const inputs = shapes.map((shape) => tf.randomUniform([...shape] as [number], -0.2, 0.2));
  const dy = run(...inputs);
  const gradients = tf.grads(run);
  return { name, operations, step: () => settle(gradients(inputs, dy)) };
}

function sequenceCase(kind: 'SimpleRNN' | 'LSTM', units: number): Case {
  const [timesteps, batch, features] = [500, 128, 32];
  const gates = kind === 'LSTM' ? 4 : 1;
  const layer = kind === 'LSTM' ? lstm : simpleRnn;
  return layerCase(
    `${kind}(${units}), ${batch} x ${timesteps} x ${features}`,
    6 * timesteps * batch * (features + units) * gates * units,
    [
      [timesteps, batch, features],
      [features, gates * units],
      [units, gates * units],
      [gates * units],
    ],
    (inputs, kernel, recurrentKernel, bias) =>
      // The shapes above.
      layer(inputs as tf.Tensor3D, { kernel, recurrentKernel, bias } as Parameters<typeof lstm>[1]),
  );
}

function diagonalCase(units: number, batch: number): Case {
  const size = { rows: 28, columns: 28 };
  return layerCase(
    `Diagonal LSTM(${units}), one direction, batch ${batch}`,
    6 * 784 * batch * 4 * units * 4 * units,
    [
      [784, batch, 2 * units],
      [2 * units, 4 * units],
      [2 * units, 4 * units],
      [4 * units],
      [units],
      [units],
    ],
    (maps, kernel, recurrentKernel, bias, initialOutput, initialCell) => {
      const weights = { kernel, recurrentKernel, bias, initialOutput, initialCell };
      // The shapes above.
      const typed = weights as Parameters<typeof diagonalLstm>[1];
      return diagonalLstm(maps as tf.Tensor3D, typed, size, 'left');
    },
  );
}

type BenchedRecipe = 'imdb-simple-rnn' | 'imdb-lstm' | 'digits-pixel-rnn';

function trainingCase(
  recipe: BenchedRecipe,
  given: Record<string, unknown>,
  operations: number,
): Case {
  const settings = completeSettings(recipe, given);
  const model = createModel(recipe, settings);
  const optimizer = createOptimizer(settings, model.variables);
  const { batchSize } = settings;
  const isDigits = recipeNamed(recipe).name.startsWith('digits');
  const inputs = isDigits
    ? tf.cast(tf.less(tf.randomUniform([batchSize, 28, 28, 1]), 0.2), 'float32')
    : tf.randomUniform([batchSize, 500], 0, 9_000, 'int32');
  const targets = isDigits
    ? inputs
    : tf.cast(tf.less(tf.randomUniform([batchSize, 1]), 0.5), 'int32');
  const facts = Object.entries(given).map(([key, value]) => `${key} ${value}`);
  return {
    name: `${recipe}, training step, ${facts.join(', ')}`,
    operations,
    step() {
      const { loss, metrics, gradients } = model.lossAndGradients({
        inputs,
        targets,
        size: batchSize,
      });
      applyGradients(optimizer, gradients, settings.clipNorm);
      settle([loss, ...Object.values(metrics)]);
    },
  };
}

const engine = await openEngine({ require: 'native' });
console.log(
  `${engine.report.cpu}, ${engine.report.threads} threads, TensorFlow ${engine.report.tensorflowVersion}`,
);
const square = tf.randomUniform<tf.Rank.R2>([1024, 1024]);
const product = () => settle([tf.matMul(square, square)]);
const best = Math.min(...Array.from({ length: 15 }, () => timed(product).wall));
const perMillisecond = (2 * 1024 ** 3) / best;
console.log(`best matrix product: ${(perMillisecond / 1e6).toFixed(0)} GFLOP/s`);

const rnn = 6 * 500 * 128 * 64 * 32;
const pixels = (batch: number, units: number) => 6 * 784 * batch * 4 * units * 4 * units * 2;
const cases = [
  () => sequenceCase('SimpleRNN', 32),
  () => sequenceCase('LSTM', 32),
  () => diagonalCase(32, 64),
  () => diagonalCase(16, 16),
  () => trainingCase('imdb-simple-rnn', { batchSize: 128, timesteps: 500, layers: 4 }, 4 * rnn),
  () => trainingCase('imdb-lstm', { batchSize: 128, timesteps: 500 }, 4 * rnn),
  () => trainingCase('digits-pixel-rnn', { batchSize: 64, units: 32, layers: 1 }, pixels(64, 32)),
  () =>
    trainingCase('digits-pixel-rnn', { batchSize: 16, units: 16, layers: 7 }, 7 * pixels(16, 16)),
];
for (const make of cases) {
  const { name, operations, step } = make();
  const times = { operations: [] as Duration[], best: [] as Duration[] };
  for (let repeat = -1; repeat < repeats; repeat++) {
    for (const implementation of ['operations', 'best'] as const) {
      setBest(implementation);
      const time = timed(step);
      if (repeat >= 0) times[implementation].push(time);
    }
  }
  const describe = (durations: readonly Duration[]) => {
    const wall = median(durations.map((duration) => duration.wall));
    const processor = median(durations.map((duration) => duration.processor));
    return `${wall.toFixed(1)} ms (processors ${processor.toFixed(1)})`;
  };
  console.log(
    `${name}: operations ${describe(times.operations)}, kernels ${describe(times.best)}, ` +
      `limit ${(operations / perMillisecond).toFixed(1)} ms`,
  );
}
