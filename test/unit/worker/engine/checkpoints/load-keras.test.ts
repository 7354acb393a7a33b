import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { completeSettings, type RecipeName } from '../../../../../shared/recipes.ts';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { checkpointFiles } from '../../../../../worker/engine/checkpoints/files.ts';
import {
  type CheckpointState,
  initialProgress,
} from '../../../../../worker/engine/checkpoints/state.ts';
import { fetchTensors } from '../../../../../worker/engine/checkpoints/tensors.ts';
import type { KerasTopology } from '../../../../../worker/engine/models/model.ts';
import { SentimentModel } from '../../../../../worker/engine/models/sentiment.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { peersPython, runPeer } from '../../../../peers/python.ts';
import { tinyReport } from '../training/tiny-run.ts';

const python = peersPython();
const answerSchema = z.object({
  outputs: z.array(z.number()).optional(),
  parameters: z.int().optional(),
  layers: z.array(z.string()).optional(),
  error: z.string().optional(),
  weights: z.record(z.string(), z.array(z.int())),
});

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'teletrain-keras-'));
  await openEngine();
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const shape = { seed: 3, vocabulary: 50, timesteps: 30, embeddingUnits: 8, units: 6 };
const networks = [
  ['SimpleRNN', 1.4, 'imdb-simple-rnn', 4, ['Embedding', ...Array(4).fill('SimpleRNN'), 'Dense']],
  ['LSTM', 4, 'imdb-lstm', 2, ['Embedding', 'LSTM', 'LSTM', 'Dense']],
] as const;

describe.each(networks)('a checkpoint of %s layers', (layer, spread, recipe, layers, keras) => {
  let folder: string;
  let tokens: number[][];
  let expected: number[];

  beforeAll(async () => {
    const model = new SentimentModel(layer, { ...shape, layers });
    const random = createRandom(11);
    for (const variable of model.variables.values()) {
      // Large enough that a wrong gate or activation shows; biases too.
      const values = Float32Array.from(
        { length: variable.size },
        () => spread * (random.next() - 0.5),
      );
      variable.assign(tf.tensor(values, variable.shape));
    }
    tokens = Array.from({ length: 7 }, () =>
      Array.from({ length: shape.timesteps }, () => random.nextBelow(shape.vocabulary)),
    );
    const logits = model.logits(tf.tensor2d(tokens, undefined, 'int32'));
    expected = [...tf.sigmoid(logits).dataSync()];
    folder = await writeFiles(recipe, await fetchTensors(model.variables), model.keras);
    await writeFile(join(folder, 'tokens.json'), JSON.stringify(tokens));
  });

  if (python) {
    test('is rebuilt by load_keras.py in real Keras with the same outputs', async () => {
      const printed = await runPeer(python, 'load_keras_outputs.py', [
        folder,
        join(folder, 'tokens.json'),
      ]);
      const answer = answerSchema.parse(JSON.parse(printed));
      expect(answer.layers).toEqual(keras);
      expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.1);
      expect(largestDifference(answer.outputs, expected)).toBeLessThan(1e-5);
    });
  }

  test('is a model that tf.loadLayersModel reads, with the same outputs', async () => {
    const model = await loadLayersModel(folderReader(folder));
    const outputs = model.predict(tf.tensor2d(tokens, undefined, 'int32'));
    if (Array.isArray(outputs)) throw new Error('A sequential model has one output.');
    expect(largestDifference([...outputs.dataSync()], expected)).toBeLessThan(1e-5);
  });
});

if (python) {
  test('load_keras.py says that Keras lacks the layers of a digit model, and gives its arrays', async () => {
    const weights = new Map([['input/kernel', { shape: [2], values: Float32Array.of(1, 2) }]]);
    const folder = await writeFiles('digits-pixel-rnn', weights);
    const answer = answerSchema.parse(
      JSON.parse(await runPeer(python, 'load_keras_outputs.py', [folder])),
    );
    expect(answer.error).toContain('Keras lacks');
    expect(answer.weights).toEqual({ 'input/kernel': [2] });
  });
} else {
  test('load_keras.py could not be checked here', () => {
    console.warn(
      'NOT CHECKED: load_keras.py in real Keras. Missing: Python with Keras (TELETRAIN_PEERS_PYTHON).',
    );
  });
}

async function writeFiles(
  recipe: RecipeName,
  weights: Awaited<ReturnType<typeof fetchTensors>>,
  keras?: KerasTopology,
): Promise<string> {
  const settings = completeSettings(recipe);
  const state: CheckpointState = {
    format: 1,
    run: 'a-run',
    recipe,
    settings,
    version: '0.1.0',
    engine: tinyReport,
    dataset: { name: settings.dataset, sources: [] },
    random: { seed: 1 },
    optimizer: { iterations: 0 },
    progress: initialProgress(settings),
  };
  const folder = join(home, recipe);
  await mkdir(folder);
  for (const { name, bytes } of checkpointFiles({ state, weights, slots: new Map(), keras })) {
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}

/** What `tf.io.fileSystem` of tfjs-node does, of which only the core is here. */
function folderReader(folder: string): tf.io.IOHandler {
  return {
    load: async () => {
      const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
      return await tf.io.getModelArtifactsForJSON(model, async (manifest) => {
        const bytes = await readFile(join(folder, 'weights.bin'));
        return [manifest.flatMap((group) => group.weights), new Uint8Array(bytes).buffer];
      });
    },
  };
}

function largestDifference(actual: readonly number[] = [], expected: readonly number[]): number {
  expect(actual).toHaveLength(expected.length);
  return Math.max(...actual.map((output, at) => Math.abs(output - (expected[at] ?? Number.NaN))));
}
