/**
 * Where a training step's time goes, operation by operation:
 * `node test/bench/step-profile.ts [recipe] [key=value]… [repeats=N]`, by default
 * `digits-pixel-rnn layers=1 units=32 batchSize=64`. Mean milliseconds and calls a step over all
 * repeats; what is left of the step is JavaScript and what the operations leave to each other.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { completeSettings, recipeNamed } from '../../shared/recipes.ts';
import { openEngine } from '../../worker/engine/backend/engine.ts';
import { createModel } from '../../worker/engine/models/create.ts';
import { NativeDispatch } from '../../worker/engine/ops/native-dispatch.ts';
import { createOptimizer } from '../../worker/engine/optimizers/create.ts';
import { applyGradients } from '../../worker/engine/training/apply-gradients.ts';

const [name = 'digits-pixel-rnn', ...given] = process.argv.slice(2);
const recipe = recipeNamed(name);
const pairs = Object.fromEntries(given.map((pair) => pair.split('='))) as Record<string, string>;
const { repeats = '15', ...asked } = pairs;
const count = z.coerce.number().int().min(1).parse(repeats);
const defaults = recipe.task === 'digits' ? {} : { timesteps: 500 };
const settings = completeSettings(recipe.name, {
  ...defaults,
  ...Object.fromEntries(Object.entries(asked).map(([key, value]) => [key, Number(value)])),
});

interface Spent {
  calls: number;
  milliseconds: number;
}
const spent = new Map<string, Spent>();

/** Times every call of a method whose first argument is an operation's name. */
function profile(object: object, method: string): void {
  const original: unknown = Reflect.get(object, method);
  if (typeof original !== 'function') throw new Error(`There is no method ${method}.`);
  const timed = function (this: unknown, ...args: unknown[]): unknown {
    const start = performance.now();
    const result: unknown = Reflect.apply(original, this, args);
    const operation = String(args[0]);
    const total = spent.get(operation) ?? { calls: 0, milliseconds: 0 };
    total.calls++;
    total.milliseconds += performance.now() - start;
    spent.set(operation, total);
    return result;
  };
  Reflect.set(object, method, timed);
}

const engine = await openEngine({ require: 'native' });
// The two ways to the addon: our own calls by name, and tfjs' kernels, those of one output too.
profile(NativeDispatch.prototype, 'runMany');
profile(tf.backend(), 'executeMultipleOutputs');

const model = createModel(recipe.name, settings);
const optimizer = createOptimizer(settings, model.variables);
const { batchSize } = settings;
const inputs =
  recipe.task === 'digits'
    ? tf.cast(tf.less(tf.randomUniform([batchSize, 28, 28, 1]), 0.2), 'float32')
    : tf.randomUniform(
        [batchSize, 'timesteps' in settings ? settings.timesteps : 1],
        0,
        9_000,
        'int32',
      );
const targets =
  recipe.task === 'digits'
    ? inputs
    : tf.cast(tf.less(tf.randomUniform([batchSize, 1]), 0.5), 'int32');

function step(): void {
  const { loss, metrics, gradients } = model.lossAndGradients({ inputs, targets, size: batchSize });
  applyGradients(optimizer, gradients, settings.clipNorm);
  loss.dataSync();
  tf.dispose([loss, metrics]);
}

for (let warming = 0; warming < 3; warming++) step();
spent.clear();
const walls: number[] = [];
const faultsBefore = process.resourceUsage().minorPageFault;
for (let repeat = 0; repeat < count; repeat++) {
  const start = performance.now();
  step();
  walls.push(performance.now() - start);
}
const faults = (process.resourceUsage().minorPageFault - faultsBefore) / count;
const mean = walls.reduce((sum, wall) => sum + wall, 0) / count;
walls.sort((a, b) => a - b);
const median = walls[Math.floor(count / 2)] ?? Number.NaN;
console.log(
  `${engine.report.cpu}, ${engine.report.threads} threads: ${recipe.name} ${given.join(' ')}, ` +
    `a step ${median.toFixed(1)} ms (median of ${count}; least ${walls[0]?.toFixed(1)}, mean ` +
    `${mean.toFixed(1)}), ${faults.toFixed(0)} pages touched for the first time`,
);
const rows = [...spent].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
const inOperations = rows.reduce((sum, [, { milliseconds }]) => sum + milliseconds, 0) / count;
for (const [operation, { calls, milliseconds }] of rows) {
  const each = (milliseconds / count).toFixed(2).padStart(8);
  console.log(`${each} ms ${(calls / count).toFixed(0).padStart(5)} x ${operation}`);
}
console.log(`${(mean - inOperations).toFixed(2).padStart(8)} ms       outside operations`);
