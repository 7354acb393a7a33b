import { execFile } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as layers from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect, type RemoteSession } from '../../client/remote/connect.ts';
import type { RemoteModel } from '../../client/remote/model.ts';
import { createClient } from '../../client/session/client.ts';
import { clientFolders } from '../../client/session/folders.ts';
import { RunStore } from '../../client/session/run-store.ts';
import { newestSavedModel } from '../../client/session/saved-model.ts';
import { completeSettings } from '../../shared/recipes.ts';
import {
  type LoadedCheckpoint,
  loadNewestCheckpoint,
} from '../../worker/engine/checkpoints/load.ts';
import { decodeSafetensors } from '../../worker/engine/checkpoints/safetensors.ts';
import type { Dataset } from '../../worker/engine/datasets/dataset.ts';
import { loadDataset } from '../../worker/engine/datasets/load.ts';
import { epochOrder } from '../../worker/engine/datasets/order.ts';
import { workerFolders } from '../../worker/folders.ts';
import { EngineDriver, startCommand } from './engine-driver.ts';
import { endsWithTest } from './session-set-up.ts';
import { LineThread } from './support/line-thread.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

// On a busy machine two engines may find different implementations the fastest, with other last bits.
vi.stubEnv('TELETRAIN_IMPLEMENTATION', 'kernel');

const recipe = 'digits-pixel-rnn';
const given = {
  ...{ dataset: 'mnist-10k', epochs: 2, batchSize: 24, units: 3, outputUnits: 4, seed: 6 },
  ...{ trainExamples: 96, validationExamples: 8, testExamples: 8, sampleSteps: 0, sampleCount: 1 },
};
const settings = completeSettings(recipe, given);
const stepsPerEpoch = 4;
const steps = 2 * stepsPerEpoch;
const pixels = 784;

const stack = new AsyncDisposableStack();
let line: LineThread;
let home: string;
/** What a run of the training engine left, and where. */
let trained: LoadedCheckpoint;
let checkpoints: string;
let dataset: Dataset;
let session: RemoteSession | undefined;

beforeAll(async () => {
  const workerHome = stack.use(await temporaryHome());
  const runHome = stack.use(await temporaryHome());
  home = stack.use(await temporaryHome()).path;
  const worker = stack.use(new WorkerProcess(workerHome.path, { args: endsWithTest }));
  const { url, code } = await worker.listening();
  line = stack.use(await LineThread.to(url));
  const client = createClient({ home });
  await client.connectWorker(line.url, { code, name: 'colab' });
  await client.close();

  await using engine = await EngineDriver.start();
  engine.send(startCommand(recipe, runHome.path, given));
  expect(await engine.untilEnd()).toMatchObject({ state: 'done' });
  checkpoints = join(runHome.path, 'checkpoints');
  const loaded = await loadNewestCheckpoint(checkpoints);
  if (loaded === undefined) throw new Error('the run left no checkpoint');
  trained = loaded;
  dataset = await loadDataset(settings, {
    cacheDir: workerFolders().cache,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
});
afterAll(async () => {
  session?.close();
  await stack.disposeAsync();
});

async function open(): Promise<RemoteSession> {
  session ??= await connect('colab', { home });
  return session;
}

function close(): void {
  session?.close();
  session = undefined;
}

/** The batch that the training engine takes at a step, from 0. */
function recipeBatch(step: number) {
  const epoch = Math.floor(step / stepsPerEpoch);
  const order = epochOrder(settings.seed, epoch, dataset.train.count);
  const { batchSize } = settings;
  const values = new Uint8Array(batchSize * pixels);
  for (let place = 0; place < batchSize; place += 1) {
    const example = order[(step % stepsPerEpoch) * batchSize + place] ?? 0;
    values.set(
      dataset.train.inputs.subarray(example * pixels, (example + 1) * pixels),
      place * pixels,
    );
  }
  return { inputs: { values, shape: [batchSize, 28, 28, 1] } };
}

/** Issues steps without waiting; what they return, in order. */
function issueSteps(model: RemoteModel, from: number, to: number): Promise<unknown>[] {
  const issued: Promise<unknown>[] = [];
  for (let step = from; step < to; step += 1) {
    issued.push(model.forwardBackward(recipeBatch(step)), model.optimStep());
  }
  return issued;
}

/** Weights and slots by name, as the run's checkpoint has them. */
function expectTrained(state: Uint8Array): void {
  const found = decodeSafetensors(state);
  const expected = new Map([...trained.weights, ...trained.slots]);
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, { values }] of expected) expect(found.get(name)?.values, name).toEqual(values);
}

describe('a model on a worker', () => {
  test('trained by a loop that is issued ahead has the bits of the same run of the engine', async () => {
    const model = (await open()).createModel({ recipe, settings: given });
    const order: number[] = [];
    const issued = issueSteps(model, 0, steps);
    issued.forEach((step, place) => void step.then(() => order.push(place)));
    const state = model.saveState();
    const results = await Promise.all(issued);
    expect(order).toEqual(issued.map((_, place) => place));
    expect(results.at(-1)).toMatchObject({ step: steps });
    expectTrained(await state);
    model.dispose();
  });

  test('takes no step twice and loses none when the connection is cut', async () => {
    const model = (await open()).createModel({ recipe, settings: given });
    for (let step = 0; step < steps; step += 4) {
      const issued = issueSteps(model, step, step + 4);
      line.order('cut');
      await Promise.all(issued);
    }
    expectTrained(await model.saveState());
    model.dispose();
  });

  test('goes on with the same bits in another session, from a state that was saved in one', async () => {
    const first = (await open()).createModel({ recipe, settings: given });
    const issued = issueSteps(first, 0, 3);
    const state = await first.saveState();
    await Promise.all(issued);
    close();
    const model = (await open()).createModel({ recipe, settings: { ...given, seed: 99 } });
    expect(await model.loadState(state)).toEqual({ step: 3 });
    await Promise.all(issueSteps(model, 3, steps));
    expectTrained(await model.saveState());
    model.dispose();
  });

  test('takes tensors of tfjs that are on the worker, and the weights of a checkpoint', async () => {
    const model = (await open()).createModel({ recipe, settings: given });
    await tf.setBackend('remote');
    const file = join(checkpoints, trained.manifest.id, 'model.safetensors');
    expect(await model.loadState(await readFile(file))).toEqual({ step: 0 });
    const { values, shape } = recipeBatch(0).inputs;
    const tensor = tf.tensor(values, shape, 'float32');
    const { numTensors } = tf.memory();
    const evaluated = model.evaluate({ inputs: tensor });
    tensor.dispose();
    expect(await evaluated).toEqual(await model.evaluate(recipeBatch(0)));
    expect((await evaluated).loss).toBeGreaterThan(100);
    expect(tf.memory().numTensors).toBe(numTensors - 1);
    const { pixels: drawn, shape: drawnShape } = await model.sample({
      given: { values: values.subarray(0, pixels), shape: [1, 28, 28, 1] },
      givenRows: 14,
      count: 2,
      seed: 4,
    });
    expect(drawnShape).toEqual([2, 28, 28, 1]);
    const upper = [...values.subarray(0, pixels / 2)];
    expect([...drawn.subarray(0, pixels / 2)]).toEqual(upper);
    expect([...drawn.subarray(pixels, 1.5 * pixels)]).toEqual(upper);
    model.dispose();
  });

  test('of several inputs and outputs trains and predicts by names, with values that come home', async () => {
    const { createModel } = await open();
    await tf.setBackend('cpu');
    const a = layers.input({ shape: [2], name: 'a' });
    const b = layers.input({ shape: [2], name: 'b' });
    const sum = layers.layers.add({ name: 'sum' }).apply([a, b]) as layers.SymbolicTensor;
    const head = layers.layers.dense({ units: 1, name: 'head', kernelInitializer: 'ones' });
    const local = layers.model({ inputs: [a, b], outputs: [sum, head.apply(sum) as typeof sum] });
    const modelJson = local.toJSON(null, false) as object;
    const model = createModel({ modelJson });
    const inputs = {
      a: { values: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      b: { values: Float32Array.of(10, 20, 30, 40), shape: [2, 2] },
    };
    const sums = { values: Float32Array.of(11, 22, 33, 44), shape: [2, 2] };
    const predicted = model.predict(inputs);
    const targets = { sum: sums, head: { values: Float32Array.of(33, 76), shape: [2, 1] } };
    const losses = { sum: 'meanSquaredError', head: 'meanAbsoluteError' } as const;
    const step = model.forwardBackward({ inputs, targets }, losses);
    await model.optimStep();
    expect(await predicted).toEqual([sums, { values: Float32Array.of(33, 77), shape: [2, 1] }]);
    expect(await step).toEqual({ loss: 0.5, sum_loss: 0, head_loss: 0.5 });
    const text = createModel({ modelJson: JSON.stringify({ modelTopology: modelJson }) });
    expect((await text.predict([inputs.a, inputs.b])).length).toBe(2);
    const failed = text.predict(inputs.a);
    await expect(failed).rejects.toMatchObject({ code: 'bad-batch' });
    await expect(failed).rejects.toThrow('predict([2,2]): The model has 2 inputs (a, b): not 1.');
    for (const one of [model, text, local]) one.dispose();
  });

  test('draws digits at a temperature, and tells of one that is none', async () => {
    const model = (await open()).createModel({ recipe, settings: given });
    const file = join(checkpoints, trained.manifest.id, 'model.safetensors');
    await model.loadState(await readFile(file));
    const draw = async (temperature?: number) =>
      (await model.sample({ seed: 3, ...(temperature && { temperature }) })).pixels;
    expect(await draw(1)).toEqual(await draw());
    const { values } = recipeBatch(0).inputs;
    const drawn = { values: values.subarray(0, pixels), shape: [1, 28, 28, 1] };
    const cold = (await model.sample({ given: drawn, count: 2, temperature: 1e-9 })).pixels;
    // Chance has no part in it any more.
    expect(cold.subarray(0, pixels)).toEqual(cold.subarray(pixels));
    await expect(draw(-1)).rejects.toMatchObject({ code: 'bad-option' });
    model.dispose();
  });

  test('tells of a call that failed with its shapes and its line, and does those behind it', async () => {
    const model = (await open()).createModel({ recipe, settings: given });
    const failed = model.forwardBackward({
      inputs: { values: new Float32Array(6), shape: [2, 3] },
    });
    const behind = issueSteps(model, 0, 1);
    const error = await failed.then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: 'bad-batch' });
    expect(error?.message).toMatch(/^forwardBackward\(\[2,3\]\): Pictures are/);
    expect(error?.stack).toContain('remote-models.test.ts');
    expect(await behind[1]).toMatchObject({ step: 1 });
    const noNumber = model.optimStep({ learningRate: Number.NaN });
    await expect(noNumber).rejects.toMatchObject({ code: 'bad-option' });
    model.dispose();
  });

  test('that cannot be made tells so by every call on it', async () => {
    const { createModel, quota } = await open();
    const evil = { class_name: 'Sequential', config: [{ class_name: 'Lambda', config: {} }] };
    const model = createModel({ modelJson: evil });
    await expect(model.optimStep()).rejects.toMatchObject({ code: 'unknown-layer-class' });
    await expect(model.created).rejects.toThrow('"Lambda"');
    const units = Math.ceil(quota.bytes / 4 / 2);
    const dense = { units, batch_input_shape: [null, 2] };
    const huge = createModel({
      modelJson: { class_name: 'Sequential', config: [{ class_name: 'Dense', config: dense }] },
    });
    await expect(huge.created).rejects.toMatchObject({ code: 'tensor-memory' });
    // What is thrown for values that are none is a fault of the program, told before anything is sent.
    const batch = { inputs: { values: new Float32Array(3), shape: [2, 2] } };
    await expect(huge.evaluate(batch)).rejects.toThrow(TypeError);
    model.dispose();
    huge.dispose();
  });

  test('ends with its session', async () => {
    const model = (await open()).createModel({ recipe, settings: given });
    const underway = model.saveState();
    close();
    await expect(underway).rejects.toMatchObject({ code: 'tensor-session-closed' });
    await expect(model.optimStep()).rejects.toMatchObject({ code: 'tensor-session-closed' });
    model.dispose();
  });
});

describe('an example', () => {
  const run = async (name: string, ...given: string[]) => {
    const program = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
    return await promisify(execFile)(process.execPath, [program, 'colab', ...given], {
      env: { ...process.env, TELETRAIN_HOME: home },
    });
  };

  test('trains on data of this machine alone', async () => {
    const { stdout, stderr } = await run('custom-training-loop.ts');
    expect(stderr).toBe('');
    const losses = [...stdout.matchAll(/step \d+: (\S+) nats/g)].map(([, loss]) => Number(loss));
    expect(losses.length).toBe(9);
    // Of 256 characters at first, and then the text's own.
    expect(losses[0]).toBeCloseTo(Math.log(256), 0);
    expect(losses.at(-1)).toBeLessThan(0.7 * Math.log(256));
  });

  test('completes a drawn digit with the weights of a run, and says which run is missing', async () => {
    await expect(run('complete-a-drawn-digit.ts')).rejects.toThrow('run digits-pixel-rnn --quick');
    const store = new RunStore(clientFolders({ TELETRAIN_HOME: home }).runs);
    const record = { id: 'digits-1', recipe, settings, quick: false, createdAt: 1 };
    const place = { worker: 'colab', url: 'ws://127.0.0.1:1/' };
    await store.create({ format: 1, version: '0.1.0', ...record }, place);
    expect(await newestSavedModel({ home })).toBeUndefined();
    await cp(checkpoints, join(store.directoryOf('digits-1'), 'checkpoints'), { recursive: true });
    const { stdout, stderr } = await run('complete-a-drawn-digit.ts');
    expect(stderr).toBe('');
    const [title, ...rows] = stdout.trimEnd().split('\n');
    expect(title).toBe(`completed by run digits-1, step ${steps}:`);
    expect(rows[2]?.slice(11, 17)).toBe('▄▄▄▄▄▄');
    expect(rows.length).toBeLessThanOrEqual(14);
  });
});
