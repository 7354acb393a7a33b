import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { completeSettings } from '../../../../../shared/recipes.ts';
import { createModel } from '../../../../../worker/engine/models/create.ts';
import { denseGradient, disposeGradients } from '../../../../../worker/engine/models/gradients.ts';
import type { Batch } from '../../../../../worker/engine/models/model.ts';
import {
  type SentimentLayer,
  SentimentModel,
} from '../../../../../worker/engine/models/sentiment.ts';
import { createOptimizer } from '../../../../../worker/engine/optimizers/create.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { peersPython, runPeer } from '../../../../peers/python.ts';
import { onEachEngine } from '../on-each-engine.ts';

interface KerasAnswer {
  outputs: number[];
  loss: number;
  gradients: number[][];
  /** Loss and accuracy of each step. */
  steps: [number, number][];
  weights: number[][];
  state: Record<string, number[]>;
}

const shape = { seed: 3, vocabulary: 30, timesteps: 7, embeddingUnits: 4, units: 5, layers: 2 };
const batchSize = 6;
const stepCount = 20;

const random = createRandom(5);
const examples = Array.from({ length: stepCount }, () => ({
  tokens: Array.from({ length: batchSize }, () =>
    Array.from({ length: shape.timesteps }, () => random.nextBelow(shape.vocabulary)),
  ),
  targets: Array.from({ length: batchSize }, () => random.nextBelow(2)),
}));

function toBatch({ tokens, targets }: (typeof examples)[number]): Batch {
  const inputs = tf.tensor2d(tokens, undefined, 'int32');
  return { inputs, targets: tf.tensor1d(targets), size: batchSize };
}

const cases = [
  { layer: 'SimpleRNN', optimizer: 'rmsprop', learningRate: 0.001, clipNorm: 0, emaMomentum: 0 },
  { layer: 'LSTM', optimizer: 'adam', learningRate: 0.002, clipNorm: 0.05, emaMomentum: 0.9 },
  { layer: 'GRU', optimizer: 'rmsprop', learningRate: 0.001, clipNorm: 0.05, emaMomentum: 0.99 },
] as const;
type Case = (typeof cases)[number];

const answers = new Map<Case, Promise<KerasAnswer>>();

/** Asks Keras once for each case: its start takes seconds. */
function askKeras(python: string, asked: Case, model: SentimentModel): Promise<KerasAnswer> {
  const known = answers.get(asked);
  const answer =
    known ??
    (async () => {
      const folder = await mkdtemp(join(tmpdir(), 'teletrain-keras-'));
      try {
        const weights = [...model.variables.values()].map((variable) => ({
          shape: variable.shape,
          values: [...variable.dataSync()],
        }));
        const file = join(folder, 'request.json');
        await writeFile(file, JSON.stringify({ ...shape, ...asked, weights, batches: examples }));
        return JSON.parse(await runPeer(python, 'keras_training.py', [file])) as KerasAnswer;
      } finally {
        await rm(folder, { recursive: true });
      }
    })();
  answers.set(asked, answer);
  return answer;
}

/** The largest difference relative to the largest magnitude. */
function relativeDifference(values: ArrayLike<number>, expected: readonly number[]): number {
  expect(values.length).toBe(expected.length);
  const differences = expected.map((value, index) =>
    Math.abs(value - (values[index] ?? Number.NaN)),
  );
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...differences) / (largest || 1);
}

const python = peersPython();
if (python === undefined) {
  it('the networks could not be compared with real Keras here', () => {
    console.warn(
      'NOT CHECKED: outputs, gradients and optimizers against real Keras. Missing: Python with Keras (TELETRAIN_PEERS_PYTHON).',
    );
  });
}

onEachEngine((engine) => {
  if (python) {
    describe.each(cases)('the $layer network in real Keras', (asked) => {
      it('gives the same outputs, loss and gradients from the same weights', async () => {
        const model = new SentimentModel(asked.layer, shape);
        const keras = await askKeras(python, asked, model);
        const batch = toBatch(examples[0] as (typeof examples)[number]);
        const outputs = tf.sigmoid(model.logits(batch.inputs)).dataSync();
        expect(relativeDifference(outputs, keras.outputs)).toBeLessThan(1e-5);
        const { loss, gradients } = model.lossAndGradients(batch);
        expect(loss.dataSync()[0]).toBeCloseTo(keras.loss, 5);
        [...model.variables.keys()].forEach((name, place) => {
          const gradient = gradients[name];
          const shape = model.variables.get(name)?.shape ?? [];
          const values = gradient ? denseGradient(gradient, shape).dataSync() : [];
          expect(relativeDifference(values, keras.gradients[place] ?? []), name).toBeLessThan(1e-4);
        });
        model.dispose();
      });

      it(`is trained alike through ${stepCount} steps of ${asked.optimizer}`, async () => {
        const model = new SentimentModel(asked.layer, shape);
        const keras = await askKeras(python, asked, model);
        const optimizer = createOptimizer(asked, model.variables);
        examples.forEach((example, step) => {
          const result = model.lossAndGradients(toBatch(example));
          optimizer.apply(result.gradients, asked.clipNorm);
          const [loss, accuracy] = keras.steps[step] ?? [];
          expect(result.loss.dataSync()[0]).toBeCloseTo(loss ?? Number.NaN, 4);
          expect(result.metrics.accuracy?.dataSync()[0]).toBeCloseTo(accuracy ?? Number.NaN, 6);
        });
        [...model.variables].forEach(([name, variable], place) => {
          const expected = keras.weights[place] ?? [];
          expect(relativeDifference(variable.dataSync(), expected), name).toBeLessThan(1e-3);
        });
        const iterations = Object.entries(keras.state).find(([path]) => path.includes('iteration'));
        expect([optimizer.iterations]).toEqual(iterations?.[1]);
        for (const [kind, limit] of Object.entries({ velocity: 5e-3, average: 1e-3 })) {
          const kept = Object.entries(keras.state).filter(([path]) => path.endsWith(`_${kind}`));
          const slots = [...optimizer.slots()].filter(([name]) => name.endsWith(`/${kind}`));
          const isKept = kind === 'velocity' || asked.emaMomentum > 0;
          expect(slots.length).toBe(isKept ? model.variables.size : 0);
          expect(kept.length).toBe(slots.length);
          kept.forEach(([path, expected], place) => {
            const values = slots[place]?.[1].dataSync() ?? [];
            expect(relativeDifference(values, expected), path).toBeLessThan(limit);
          });
        }
        optimizer.dispose();
        model.dispose();
      });
    });
  }

  it.each(['imdb-simple-rnn', 'imdb-lstm'] as const)('counts 328,353 parameters in %s', (name) => {
    const model = createModel(name, completeSettings(name));
    const sizes = [...model.variables.values()].map(({ size }) => size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(328_353);
    const named = model.keras?.layers.flatMap(({ weights }) => weights);
    expect(named).toEqual([...model.variables.keys()]);
    model.dispose();
  });

  it.each(['SimpleRNN', 'LSTM'] as SentimentLayer[])(
    'keeps the number of live tensors through 20 steps of training (%s)',
    (layer) => {
      const model = new SentimentModel(layer, shape);
      const optimizer = createOptimizer(
        { optimizer: 'rmsprop', learningRate: 0.001 },
        model.variables,
      );
      const counts = examples.map((example) => {
        const batch = toBatch(example);
        const { loss, metrics, gradients } = model.lossAndGradients(batch);
        optimizer.apply(gradients);
        disposeGradients(gradients);
        const checked = model.evaluate(batch);
        tf.dispose([batch.inputs, batch.targets, loss, { ...metrics }]);
        tf.dispose([checked.loss, { ...checked.metrics }]);
        return engine().liveTensors();
      });
      expect(new Set(counts.slice(1)).size).toBe(1);
      expect(counts.length).toBe(20);
      optimizer.dispose();
      model.dispose();
    },
  );
});
