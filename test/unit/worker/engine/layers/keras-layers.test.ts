import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { registerFusedLayers } from '../../../../../worker/engine/layers/register.ts';
import { peersPython, runPeer } from '../../../../peers/python.ts';
import { randomTensor } from '../on-each-engine.ts';
import {
  initialStatesOf,
  kernelCases,
  type LayerCase,
  loopCases,
  modelOf,
  sequencesOf,
} from './layer-cases.ts';
import { savedLayers, withLastLayer } from './model-files.ts';

const learningRate = 0.5;
const tolerance = 1e-5;
const cases = { ...kernelCases, ...loopCases };
const python = peersPython();

const arraySchema = z.object({ shape: z.array(z.int()), values: z.array(z.number()) });
const answersSchema = z.array(
  z.object({
    outputs: z.array(z.array(arraySchema)),
    trained: z.array(arraySchema).optional(),
    saved: z.record(z.string(), z.unknown()),
  }),
);
type Answer = z.infer<typeof answersSchema>[number];

if (python) {
  describe('a layer with the weights of real Keras', () => {
    const answers = new Map<string, Answer>();
    beforeAll(async () => {
      await openEngine();
      const unregister = registerFusedLayers();
      const requests = Object.values(cases).map(requestOf);
      const folder = await mkdtemp(join(tmpdir(), 'teletrain-layers-'));
      try {
        const file = join(folder, 'cases.json');
        await writeFile(file, JSON.stringify(requests));
        const printed = await runPeer(python, 'keras_layers.py', [file]);
        const all = answersSchema.parse(JSON.parse(printed));
        for (const [place, name] of Object.keys(cases).entries()) {
          answers.set(name, all[place] as Answer);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
      return unregister;
    });

    test.each(Object.entries(cases))('gives its outputs: %s', (name, layer) => {
      const model = modelOf(layer);
      const shown = outputsOf(model, layer);
      const expected = (answers.get(name) as Answer).outputs;
      expect(shown.length).toBe(expected.length);
      for (const [call, outputs] of shown.entries()) {
        expectEqual(outputs, expected[call] ?? []);
      }
      model.dispose();
    });

    const trained = Object.entries(cases).filter(([, layer]) => layer.trained);
    test.each(trained)('has its weights after a step of SGD: %s', async (name, layer) => {
      const model = modelOf(layer);
      const before = model.layers
        .at(-1)
        ?.getWeights()
        .map((weight) => weight.clone());
      await fitOneStep(model, layer);
      const after = model.layers.at(-1)?.getWeights() ?? [];
      expectEqual(after, (answers.get(name) as Answer).trained ?? []);
      expect(
        Math.max(...tf.sub(after[0] as tf.Tensor, before?.[0] as tf.Tensor).dataSync()),
      ).toBeGreaterThan(1e-3);
      model.dispose();
    });

    test.each(Object.entries(cases))('is made from what Keras saves: %s', async (name, layer) => {
      const model = modelOf(layer);
      const { saved } = answers.get(name) as Answer;
      const loaded = await withLastLayer(model, saved);
      expect(loaded.layers.at(-1)?.constructor).toBe(model.layers.at(-1)?.constructor);
      for (const [call, outputs] of outputsOf(loaded, layer).entries()) {
        expectEqual(outputs, (answers.get(name) as Answer).outputs[call] ?? []);
      }
      model.dispose();
      loaded.dispose();
    });
  });
} else {
  test('layers could not be compared here', () => {
    console.warn(
      'NOT CHECKED: layers against real Keras. Missing: Python with Keras (TELETRAIN_PEERS_PYTHON).',
    );
  });
}

function requestOf(layer: LayerCase) {
  const model = modelOf(layer);
  const listed = (tensor: tf.Tensor) => ({ shape: tensor.shape, values: [...tensor.dataSync()] });
  const request = {
    layer: savedLayers(model).at(-1),
    calls: callsOf(layer).map((inputs) => listed(inputs)),
    masked: layer.masked ?? false,
    states: initialStatesOf(layer).map(listed),
    weights: model.layers.at(-1)?.getWeights().map(listed),
    targets: layer.trained ? listed(targetsOf(model)) : null,
    learningRate,
  };
  model.dispose();
  return request;
}

function callsOf(layer: LayerCase): tf.Tensor[] {
  return Array.from({ length: layer.calls ?? 1 }, (_, call) => sequencesOf(layer, call));
}

function targetsOf(model: LayersModel): tf.Tensor {
  return randomTensor('targets', model.outputs[0]?.shape as [number]);
}

function outputsOf(model: LayersModel, layer: LayerCase): tf.Tensor[][] {
  return callsOf(layer).map((inputs) => {
    const outputs = model.predict([inputs, ...initialStatesOf(layer)]);
    return Array.isArray(outputs) ? outputs : [outputs];
  });
}

async function fitOneStep(model: LayersModel, layer: LayerCase): Promise<void> {
  model.compile({ optimizer: tf.train.sgd(learningRate), loss: 'meanSquaredError' });
  const inputs = [sequencesOf(layer), ...initialStatesOf(layer)];
  await model.fit(inputs, targetsOf(model), { epochs: 1, batchSize: 1000, verbose: 0 });
}

function expectEqual(
  tensors: readonly tf.Tensor[],
  arrays: readonly z.infer<typeof arraySchema>[],
): void {
  expect(tensors.map(({ shape }) => shape)).toEqual(arrays.map(({ shape }) => shape));
  for (const [place, tensor] of tensors.entries()) {
    const expected = arrays[place]?.values ?? [];
    const differences = [...tensor.dataSync()].map((value, at) =>
      Math.abs(value - (expected[at] ?? Number.NaN)),
    );
    expect(Math.max(...differences)).toBeLessThan(tolerance);
  }
}
