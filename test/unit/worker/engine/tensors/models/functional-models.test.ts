import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createRandom } from '../../../../../../worker/engine/random.ts';
import { peersPython, runPeer } from '../../../../../peers/python.ts';
import { onEachEngine } from '../../on-each-engine.ts';
import { SessionDriver } from '../session-driver.ts';
import { create, save } from './saved-model.ts';

const batchSize = 6;
const learningRate = 0.01;
const steps = 4;
const random = createRandom(12, 'functional');
const numbers = (count: number) =>
  Float32Array.from({ length: count }, () => 2 * random.next() - 1);

const given = {
  a: { values: numbers(batchSize * 4), shape: [batchSize, 4] },
  b: { values: numbers(batchSize * 10), shape: [batchSize, 5, 2] },
};
const wanted = {
  kind: {
    values: Float32Array.from({ length: 3 * batchSize }, (_, at) =>
      Number(Math.floor(at / 3) % 3 === at % 3),
    ),
    shape: [batchSize, 3],
  },
  size: { values: numbers(batchSize), shape: [batchSize, 1] },
};
const losses = { kind: 'categoricalCrossentropy', size: 'meanSquaredError' } as const;
const optimizer = { optimizer: 'rmsprop', learningRate };

function twoOfEach(): tf.LayersModel {
  const a = tf.input({ shape: [4], name: 'a' });
  const b = tf.input({ shape: [5, 2], name: 'b' });
  const lstm = tf.layers.lstm({ units: 3, recurrentActivation: 'sigmoid', name: 'read' });
  const read = lstm.apply(b) as tf.SymbolicTensor;
  const both = tf.layers.concatenate({ name: 'both' }).apply([a, read]) as tf.SymbolicTensor;
  const dense = tf.layers.dense({ units: 4, activation: 'tanh', name: 'mixed' });
  const mixed = dense.apply(both) as tf.SymbolicTensor;
  const heads = [
    tf.layers.dense({ units: 3, activation: 'softmax', name: 'kind' }),
    tf.layers.dense({ units: 1, name: 'size' }),
  ];
  const outputs = heads.map((head) => head.apply(mixed) as tf.SymbolicTensor);
  return tf.model({ inputs: [a, b], outputs });
}

onEachEngine((engine) => {
  let session: SessionDriver;
  let inputs: { a: number; b: number };
  let targets: { kind: number; size: number };
  beforeEach(async () => {
    session = new SessionDriver();
    const upload = async ({ values, shape }: { values: Float32Array; shape: number[] }) =>
      await session.upload(values, shape);
    inputs = { a: await upload(given.a), b: await upload(given.b) };
    targets = { kind: await upload(wanted.kind), size: await upload(wanted.size) };
  });

  const step = async (model: number) => {
    const found = await session.values((id) => [
      ...(['forwardBackward', id, model, inputs, targets, losses] as const),
    ]);
    await session.values((id) => ['optimStep', id, model, optimizer]);
    return found;
  };
  const predict = async (model: number) => {
    const outputs = [session.newHandle(), session.newHandle()];
    const shapes = await session.described((id) => ['predict', id, model, inputs, outputs]);
    const values: Float32Array[] = [];
    for (const output of outputs) {
      values.push(floats(await session.bytes((id) => ['read', id, output])));
    }
    await session.dispose(outputs);
    return { shapes, values };
  };

  test('a model with several inputs and outputs trains and predicts as in tf.layers', async () => {
    const model = twoOfEach();
    await create(session, 1, await save(model));
    model.compile({
      optimizer: tf.train.rmsprop(learningRate),
      loss: [losses.kind, losses.size],
    });
    const x = Object.values(given).map(({ values, shape }) => tf.tensor(values, shape));
    const y = Object.values(wanted).map(({ values, shape }) => tf.tensor(values, shape));
    for (let count = 0; count < steps; count += 1) {
      const expected = (await model.trainOnBatch(x, y)) as number[];
      const found = await step(1);
      expect(Object.keys(found)).toEqual(['loss', 'kind_loss', 'size_loss']);
      expectClose(Object.values(found), expected, 1e-5);
    }
    const evaluated = (model.evaluate(x, y) as tf.Scalar[]).map((loss) => loss.dataSync()[0] ?? 0);
    const lists = [Object.values(inputs), Object.values(targets), Object.values(losses)] as const;
    const found = await session.values((id) => ['evaluate', id, 1, ...lists]);
    // tfjs gives every partial sum of the losses, of which the last is the whole.
    expectClose(Object.values(found), evaluated.slice(-3), 1e-5);
    const predicted = model.predict(x) as tf.Tensor[];
    const { shapes, values } = await predict(1);
    expect(shapes).toEqual([
      ['float32', [batchSize, 3]],
      ['float32', [batchSize, 1]],
    ]);
    for (const [place, output] of predicted.entries()) {
      expectClose(values[place] ?? [], output.dataSync<'float32'>(), 1e-5);
    }
    tf.dispose([x, y, predicted]);
    model.dispose();
  });

  test('one loss holds for all outputs', async () => {
    const model = twoOfEach();
    await create(session, 1, await save(model));
    const name = 'meanSquaredError';
    const one = await session.values((id) => ['evaluate', id, 1, inputs, targets, name]);
    const each = await session.values((id) => ['evaluate', id, 1, inputs, targets, [name, name]]);
    expect(one).toEqual(each);
    expect(one.loss).toBeCloseTo((one.kind_loss ?? 0) + (one.size_loss ?? 0), 6);
    model.dispose();
  });

  test('what is missing, too much, of another name or of another batch is refused by name', async () => {
    const model = twoOfEach();
    await create(session, 1, await save(model));
    const { a, b } = inputs;
    const loss = 'meanSquaredError';
    type Handles = number | number[] | Record<string, number>;
    type Losses = string | string[] | Record<string, string>;
    const evaluate = async (...[x, y, z]: [Handles, Handles | null, Losses]) => {
      const told = await session.failure((id) => ['evaluate', id, 1, x, y, z]);
      expect(told.code).toMatch(/^(bad-batch|unknown-loss)$/);
      return told.message;
    };
    expect(await evaluate(a, targets, loss)).toContain('has 2 inputs (a, b): not 1');
    expect(await evaluate([a, b, b], targets, loss)).toContain('(a, b): not 3');
    expect(await evaluate({ a }, targets, loss)).toContain('b is missing');
    expect(await evaluate({ a, c: b }, targets, loss)).toContain('none is named c');
    expect(await evaluate({ a, b, toString: b }, targets, loss)).toContain('named toString');
    expect(await evaluate([b, a], targets, loss)).toContain('an input a of [batch,4], not');
    expect(await evaluate(inputs, [targets.kind], loss)).toContain('2 targets (kind, size): not 1');
    expect(await evaluate(inputs, null, loss)).toContain('no targets');
    expect(await evaluate(inputs, targets, { kind: loss })).toContain('losses (kind, size): size');
    expect(await evaluate(inputs, targets, [loss, 'hinge'])).toContain('no loss hinge');
    const fewer = await session.upload(numbers(8), [2, 4]);
    expect(await evaluate({ a: fewer, b }, targets, loss)).toContain('batches of 2 and 6');
    const one = [session.newHandle()];
    const told = await session.failure((id) => ['predict', id, 1, inputs, one]);
    expect(told).toMatchObject({ code: 'bad-batch' });
    expect(told.message).toContain('The model has 2 outputs, and 1 were named');
    // A handle stands for why there is no output.
    expect(await session.failure((id) => ['read', id, one[0] ?? 0])).toEqual(told);
    model.dispose();
  });

  test('predictions count against the session’s quota, take no handle that is in use, and leave nothing behind', async () => {
    const model = twoOfEach();
    const saved = await save(model);
    model.dispose();
    await create(session, 1, saved);
    const whole = [session.newHandle(), session.newHandle()];
    await session.described((id) => ['predict', id, 1, inputs, whole]);
    const live = engine().liveTensors();
    await predict(1);
    await session.failure((id) => ['predict', id, 1, inputs, [session.newHandle()]]);
    expect(engine().liveTensors()).toBe(live);
    await expect(session.failure((id) => ['predict', id, 1, inputs, whole])).rejects.toMatchObject({
      code: 'malformed-batch',
    });
    await step(1);
    const trained = engine().liveTensors();
    await step(1);
    expect(engine().liveTensors()).toBe(trained);
  });

  test('what goes through a model unchanged is a tensor of its own', async () => {
    const a = tf.input({ shape: [4], name: 'a' });
    const head = tf.layers.dense({ units: 1 }).apply(a) as tf.SymbolicTensor;
    const model = tf.model({ inputs: a, outputs: [a, head] });
    await create(session, 1, await save(model));
    const outputs = [session.newHandle(), session.newHandle()] as const;
    await session.described((id) => ['predict', id, 1, inputs.a, [...outputs]]);
    await session.dispose([inputs.a]);
    const same = floats(await session.bytes((id) => ['read', id, outputs[0]]));
    expect(same).toEqual(given.a.values);
    model.dispose();
  });

  const python = peersPython();
  if (python) {
    describe('with real Keras', () => {
      test('a model with several inputs and outputs trains and predicts alike', async () => {
        const model = twoOfEach();
        await create(session, 1, await save(model));
        const names = ['read', 'mixed', 'kind', 'size'];
        const weights = names.map((name) => [
          name,
          model
            .getLayer(name)
            .getWeights()
            .map((weight) => array({ values: weight.dataSync<'float32'>(), shape: weight.shape })),
        ]);
        const request = {
          weights: Object.fromEntries(weights),
          inputs: { a: array(given.a), b: array(given.b) },
          targets: { kind: array(wanted.kind), size: array(wanted.size) },
          ...{ steps, learningRate },
        };
        const expected = await askKeras(python, request);
        for (const losses of expected.losses) {
          const found = await step(1);
          for (const [name, loss] of Object.entries(losses)) {
            expect(Math.abs((found[name] ?? Number.NaN) - loss), name).toBeLessThan(1e-5);
          }
          expect(Object.keys(losses).sort()).toEqual(Object.keys(found).sort());
        }
        const { values } = await predict(1);
        expectClose(values[0] ?? [], expected.outputs.kind, 1e-4);
        expectClose(values[1] ?? [], expected.outputs.size, 1e-4);
        model.dispose();
      });
    });
  }
});

const answerSchema = z.object({
  losses: z.array(z.record(z.string(), z.number())).length(steps),
  outputs: z.object({ kind: z.array(z.number()), size: z.array(z.number()) }),
});

async function askKeras(python: string, request: object) {
  const folder = await mkdtemp(join(tmpdir(), 'teletrain-functional-'));
  try {
    const file = join(folder, 'request.json');
    await writeFile(file, JSON.stringify(request));
    return answerSchema.parse(JSON.parse(await runPeer(python, 'keras_functional.py', [file])));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const array = ({ values, shape }: { values: Float32Array; shape: number[] }) => ({
  values: [...values],
  shape,
});

const floats = (bytes: Buffer): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) {
  expect(found.length).toBe(expected.length);
  for (const [place, value] of Array.from(expected).entries()) {
    expect(Math.abs((found[place] ?? Number.NaN) - value)).toBeLessThan(tolerance);
  }
}
