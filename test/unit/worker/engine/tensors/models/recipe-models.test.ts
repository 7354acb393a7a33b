import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../../../../../shared/limits.ts';
import { completeSettings } from '../../../../../../shared/recipes.ts';
import type { Options } from '../../../../../../shared/tensors/model-commands.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
} from '../../../../../../worker/engine/checkpoints/safetensors.ts';
import { fetchTensors } from '../../../../../../worker/engine/checkpoints/tensors.ts';
import { createModel } from '../../../../../../worker/engine/models/create.ts';
import { createOptimizer } from '../../../../../../worker/engine/optimizers/create.ts';
import { createRandom } from '../../../../../../worker/engine/random.ts';
import { applyGradients } from '../../../../../../worker/engine/training/apply-gradients.ts';
import { onEachEngine } from '../../on-each-engine.ts';
import { SessionDriver } from '../session-driver.ts';

const reviews: Options = {
  vocabulary: 50,
  units: 4,
  embeddingUnits: 3,
  layers: 2,
  emaMomentum: 0.9,
};
const digits: Options = { units: 2, outputUnits: 3, seed: 5 };
const timesteps = 6;

function reviewBatch(step: number, size = 4) {
  const random = createRandom(3, `batch/${step}`);
  return {
    inputs: Int32Array.from({ length: size * timesteps }, () => random.nextBelow(50)),
    targets: Float32Array.from({ length: size }, () => random.nextBelow(2)),
  };
}

function pictures(count: number): Uint8Array {
  const random = createRandom(4, 'pictures');
  return Uint8Array.from({ length: count * 784 }, () => random.nextBelow(2));
}

onEachEngine((engine) => {
  let session: SessionDriver;
  beforeEach(() => {
    session = new SessionDriver();
  });

  const createReviews = (model: number, settings = reviews, at = session) =>
    at.values((id) => ['createRecipeModel', id, model, 'imdb-simple-rnn', settings]);

  async function forwardBackward(model: number, step: number, at = session) {
    const { inputs, targets } = reviewBatch(step);
    const handles = [
      await at.upload(inputs, [4, timesteps]),
      await at.upload(targets, [4]),
    ] as const;
    const values = await at.values((id) => ['forwardBackward', id, model, ...handles, null]);
    await at.dispose([...handles]);
    return values;
  }
  const optimStep = (model: number, options: Options = {}, at = session) =>
    at.values((id) => ['optimStep', id, model, options]);
  const state = (model: number, at = session) => at.bytes((id) => ['saveState', id, model]);

  test('a loop of training commands does what the training engine does, to the bit', async () => {
    await createReviews(1);
    const settings = completeSettings('imdb-simple-rnn', reviews);
    const model = createModel('imdb-simple-rnn', settings);
    const optimizer = createOptimizer(settings, model.variables);
    for (let step = 1; step <= 5; step += 1) {
      const { inputs, targets } = reviewBatch(step);
      const batch = {
        inputs: tf.tensor(inputs, [4, timesteps], 'int32'),
        targets: tf.tensor(targets, [4]),
        size: 4,
      };
      const { gradients, loss, metrics } = model.lossAndGradients(batch);
      applyGradients(optimizer, gradients, settings.clipNorm);
      expect(await forwardBackward(1, step)).toEqual({
        loss: loss.dataSync()[0],
        accuracy: metrics.accuracy?.dataSync()[0],
      });
      expect(await optimStep(1)).toMatchObject({ step });
      tf.dispose([batch.inputs, batch.targets, loss, ...Object.values(metrics)]);
    }
    const { inputs, targets } = reviewBatch(9);
    const handles = [
      await session.upload(inputs, [4, timesteps]),
      await session.upload(targets, [4]),
    ] as const;
    const evaluated = await session.values((id) => ['evaluate', id, 1, ...handles, null]);
    const averaged = await optimizer.withAverages(async () => {
      const batch = {
        inputs: tf.tensor(inputs, [4, timesteps], 'int32'),
        targets: tf.tensor(targets),
      };
      return model.evaluate({ ...batch, size: 4 }).loss.dataSync()[0];
    });
    expect(evaluated.loss).toBe(averaged);
    const weights = await optimizer.withAverages(() => fetchTensors(model.variables));
    const saved = decodeSafetensors(await state(1));
    for (const [name, { values }] of weights) expect(saved.get(name)?.values).toEqual(values);
    optimizer.dispose();
    model.dispose();
    await session.disposeModel(1);
  });

  test('gradients of several batches are summed until a step applies and clears them', async () => {
    await createReviews(1);
    await createReviews(2);
    const { inputs, targets } = reviewBatch(1);
    const parts = [0, 2].map((from) => ({
      inputs: inputs.slice(from * timesteps, (from + 2) * timesteps),
      targets: targets.slice(from, from + 2),
    }));
    for (const part of parts) {
      const [given, wanted] = [
        await session.upload(part.inputs, [2, timesteps]),
        await session.upload(part.targets, [2, 1]),
      ];
      await session.values((id) => ['forwardBackward', id, 1, given, wanted, null]);
    }
    const halves = await optimStep(1, { gradientScale: 0.5, optimizer: 'adam' });
    await forwardBackward(2, 1);
    const whole = await optimStep(2, { optimizer: 'adam' });
    expect(halves.gradientNorm).toBeCloseTo(whole.gradientNorm ?? 0, 6);
    const [a, b] = [decodeSafetensors(await state(1)), decodeSafetensors(await state(2))];
    for (const [name, { values }] of a) {
      const other = b.get(name)?.values ?? [];
      for (const [at, value] of values.entries()) {
        expect(value).toBeCloseTo(other[at] ?? Number.NaN, 5);
      }
    }
    expect(await session.failure((id) => ['optimStep', id, 1, {}])).toMatchObject({
      code: 'no-gradients',
    });
  });

  test.each<[string, Options]>([
    ['the recipe’s optimizer with averages', {}],
    ['Adam with its own numbers', { optimizer: 'adam', beta1: 0.8, clipNorm: 0.5 }],
  ])('a saved state goes on with the same bits in another session: %s', async (_what, options) => {
    await createReviews(1);
    const other = new SessionDriver();
    await createReviews(7, { ...reviews, seed: 9 }, other);
    for (let step = 1; step <= 2; step += 1) {
      await forwardBackward(1, step);
      await optimStep(1, options);
    }
    const file = await other.uploadFile(await state(1));
    expect(await other.values((id) => ['loadState', id, 7, file])).toEqual({ step: 2 });
    expect(await state(7, other)).toEqual(await state(1));
    for (const [model, at] of [
      [1, session],
      [7, other],
    ] as const) {
      await forwardBackward(model, 3, at);
      await optimStep(model, options, at);
    }
    expect(await state(7, other)).toEqual(await state(1));
  });

  test('the weights of a checkpoint can be loaded, and the optimizer begins anew', async () => {
    await createReviews(1);
    await createReviews(2, { ...reviews, seed: 9 });
    const weights = new Map(
      [...decodeSafetensors(await state(1))].filter(([name]) => !name.startsWith('rmsprop/')),
    );
    const file = await session.uploadFile(encodeSafetensors(weights, { format: 'teletrain' }));
    await forwardBackward(2, 1);
    await optimStep(2);
    expect(await session.values((id) => ['loadState', id, 2, file])).toEqual({ step: 0 });
    expect(decodeSafetensors(await state(2))).toEqual(weights);
    await forwardBackward(2, 1);
    expect(await optimStep(2)).toMatchObject({ step: 1 });
  });

  test('a command that fails is told with its shapes and leaves the model as it was', async () => {
    await createReviews(1);
    await forwardBackward(1, 1);
    await optimStep(1);
    await forwardBackward(1, 2);
    const before = await state(1);
    const tokens = await session.upload(new Int32Array(8), [2, 4]);
    const outside = await session.upload(Int32Array.of(1, 50), [1, 2]);
    const targets = await session.upload(new Float32Array(2), [2]);
    const one = await session.upload(Float32Array.of(Number.NaN), [1]);
    const file = await session.uploadFile(Buffer.from('nothing'));
    const other = encodeSafetensors(new Map([['a', { shape: [1], values: new Float32Array(1) }]]));
    const mismatch = await session.uploadFile(other);
    const cases: [code: string, command: Parameters<SessionDriver['failure']>[0]][] = [
      ['bad-batch', (id) => ['forwardBackward', id, 1, targets, targets, null]],
      ['bad-batch', (id) => ['forwardBackward', id, 1, tokens, null, null]],
      ['bad-batch', (id) => ['forwardBackward', id, 1, tokens, one, null]],
      ['bad-batch', (id) => ['evaluate', id, 1, outside, one, null]],
      ['unknown-loss', (id) => ['forwardBackward', id, 1, tokens, targets, 'hinge']],
      ['unknown-tensor', (id) => ['forwardBackward', id, 1, 99, targets, null]],
      ['unknown-tensor', (id) => ['forwardBackward', id, 1, file, targets, null]],
      ['unknown-tensor', (id) => ['loadState', id, 1, tokens]],
      ['bad-option', (id) => ['optimStep', id, 1, { learningRate: -1 }]],
      ['bad-option', (id) => ['optimStep', id, 1, { learningRate: Number.NaN }]],
      ['bad-option', (id) => ['optimStep', id, 1, { beta1: 0.5 }]],
      ['bad-option', (id) => ['optimStep', id, 1, { momentum: 0.5 }]],
      ['optimizer-changed', (id) => ['optimStep', id, 1, { optimizer: 'adam' }]],
      ['optimizer-changed', (id) => ['optimStep', id, 1, { rho: 0.5 }]],
      ['corrupt-safetensors', (id) => ['loadState', id, 1, file]],
      ['checkpoint-mismatch', (id) => ['loadState', id, 1, mismatch]],
      ['cannot-sample', (id) => ['sample', id, 1, null, {}]],
      ['unknown-model', (id) => ['saveState', id, 2]],
    ];
    for (const [code, command] of cases) {
      expect(await session.failure(command), String(command)).toMatchObject({ code });
    }
    const told = await session.failure((id) => ['forwardBackward', id, 1, tokens, one, null]);
    expect(told.message).toMatch(
      /^forwardBackward\(int32 \[2,4\], \[1\]\): The targets of 2 reviews/,
    );
    expect(await state(1)).toEqual(before);
    // The gradients that waited for a step still do.
    expect(await optimStep(1)).toMatchObject({ step: 2 });
  });

  test('a loss that is no number is told, adds no gradients, and changes nothing', async () => {
    await session.values((id) => ['createRecipeModel', id, 1, 'digits-pixel-rnn', digits]);
    const before = await state(1);
    const broken = await session.upload(new Float32Array(784).fill(Number.NaN), [1, 28, 28, 1]);
    const told = await session.failure((id) => ['forwardBackward', id, 1, broken, null, null]);
    expect(told).toMatchObject({ code: 'not-finite' });
    expect(await session.failure((id) => ['optimStep', id, 1, {}])).toMatchObject({
      code: 'no-gradients',
    });
    expect(await state(1)).toEqual(before);
  });

  test('a model that could not be made stands for its failure, told by all that is asked of it', async () => {
    const create = (recipe: string, settings: Options) =>
      session.failure((id) => ['createRecipeModel', id, 1, recipe, settings]);
    const first = await create('digits-pixel-rnn', { units: 0 });
    expect(first).toMatchObject({ code: 'bad-setting' });
    expect(await session.failure((id) => ['optimStep', id, 1, {}])).toEqual(first);
    await session.disposeModel(1);
    expect(await create('digits', {})).toMatchObject({ code: 'unknown-recipe' });
    await session.disposeModel(1);
    expect(await create('imdb-lstm', { colour: 1 })).toMatchObject({ code: 'unknown-setting' });
    await expect(create('imdb-lstm', {})).rejects.toMatchObject({ code: 'malformed-batch' });
  });

  test('ends where a client goes on making models although it has too many', async () => {
    const create = (model: number) =>
      session.failure((id) => ['createRecipeModel', id, model, 'imdb-lstm', { units: 0 }]);
    for (let model = 0; model < 2 * limits.tensorModels; model += 1) {
      const code = model < limits.tensorModels ? 'bad-setting' : 'too-many-models';
      expect(await create(model)).toMatchObject({ code });
    }
    await expect(create(2 * limits.tensorModels)).rejects.toMatchObject({
      code: 'too-many-models',
    });
  });

  describe('the session’s quota', () => {
    test('refuses a model before it is made, and its slots before they are', async () => {
      const small = new SessionDriver(10_000);
      const live = engine().liveTensors();
      const large = { vocabulary: 100_000, embeddingUnits: 4096 };
      const told = await small.failure((id) => ['createRecipeModel', id, 1, 'imdb-lstm', large]);
      expect(told).toMatchObject({ code: 'tensor-memory' });
      expect(engine().liveTensors()).toBe(live);
      const { bytes = 0 } = await createReviews(2, reviews, small);
      await small.disposeModel(2);
      const tight = new SessionDriver(2 * bytes + 200);
      await createReviews(1, reviews, tight);
      await forwardBackward(1, 1, tight);
      expect(await tight.failure((id) => ['optimStep', id, 1, {}])).toMatchObject({
        code: 'tensor-memory',
      });
      expect(await createReviews(3, reviews, small)).toMatchObject({ bytes });
    });

    test('counts what a step adds to a model', async () => {
      const { bytes = 0 } = await createReviews(1);
      // The recipe's optimizer keeps two numbers of each weight.
      const tight = new SessionDriver(4 * bytes + 200);
      await createReviews(1, reviews, tight);
      await forwardBackward(1, 1, tight);
      await optimStep(1, {}, tight);
      const file = await tight.uploadFile(new Uint8Array(bytes + 300));
      const told = await tight.failure((id) => ['loadState', id, 1, file]);
      expect(told).toMatchObject({ code: 'tensor-memory' });
    });

    test('is free again after a model was disposed of, and no tensor is left', async () => {
      const live = engine().liveTensors();
      const { bytes = 0 } = await createReviews(1);
      await session.disposeModel(1);
      const room = new SessionDriver(6 * bytes + 20_000);
      for (let model = 1; model <= 12; model += 1) {
        await createReviews(model, reviews, room);
        for (const step of [1, 2]) await forwardBackward(model, step, room);
        await optimStep(model, { gradientScale: 0.5 }, room);
        await forwardBackward(model, 3, room);
        const file = await room.uploadFile(await state(model, room));
        await room.values((id) => ['loadState', id, model, file]);
        await room.dispose([file]);
        await room.failure((id) => ['forwardBackward', id, model, 1, 1, 'hinge']);
        await room.disposeModel(model);
      }
      expect(engine().liveTensors()).toBe(live);
    });
  });

  test('predictions are the probabilities from which the losses come', async () => {
    await createReviews(1);
    const { inputs, targets } = reviewBatch(1);
    const [given, wanted] = [
      await session.upload(inputs, [4, timesteps]),
      await session.upload(targets, [4]),
    ] as const;
    const predict = async (model: number, from: number, shape: number[]) => {
      const output = session.newHandle();
      const made = await session.described((id) => ['predict', id, model, from, [output]]);
      expect(made).toEqual([['float32', shape]]);
      const bytes = await session.bytes((id) => ['read', id, output]);
      return new Float32Array(Uint8Array.from(bytes).buffer);
    };
    const nats = (probabilities: Float32Array, truths: ArrayLike<number>) =>
      probabilities.reduce((sum, p, at) => sum - Math.log(truths[at] ? p : 1 - p), 0);
    const ofReviews = await session.values((id) => ['evaluate', id, 1, given, wanted, null]);
    const positive = await predict(1, given, [4, 1]);
    expect(nats(positive, targets) / 4).toBeCloseTo(ofReviews.loss ?? 0, 5);

    await session.values((id) => ['createRecipeModel', id, 2, 'digits-pixel-rnn', digits]);
    const pixels = pictures(2);
    const handle = await session.upload(pixels, [2, 28, 28, 1]);
    const ofDigits = await session.values((id) => ['evaluate', id, 2, handle, null, null]);
    const ones = await predict(2, handle, [2, 28, 28, 1]);
    expect(nats(ones, pixels) / 2).toBeCloseTo(ofDigits.loss ?? 0, 2);
    const wrong = [session.newHandle()];
    const told = await session.failure((id) => ['predict', id, 2, [handle, handle], wrong]);
    expect(told).toMatchObject({ code: 'bad-batch' });
  });

  test('digits are evaluated, and completed as the model itself completes them', async () => {
    await session.values((id) => ['createRecipeModel', id, 1, 'digits-pixel-rnn', digits]);
    const given = pictures(2);
    const handle = await session.upload(given, [2, 28, 28, 1]);
    const values = await session.values((id) => ['evaluate', id, 1, handle, null, null]);
    expect(Object.keys(values)).toEqual(['loss', 'hiddenLoss']);
    const options = { count: 2, givenRows: 14, seed: 3 };
    const drawn = await session.bytes((id) => ['sample', id, 1, handle, options]);
    expect(await session.bytes((id) => ['sample', id, 1, handle, options])).toEqual(drawn);

    const model = createModel('digits-pixel-rnn', completeSettings('digits-pixel-rnn', digits));
    const random = createRandom(3, 'sample');
    const [first, second] = [given.subarray(0, 784), given.subarray(784)];
    const repeated = Buffer.concat([first, first, second, second]);
    const expected = await model.complete(repeated, 4, 14, () => random.next());
    expect(drawn).toEqual(Buffer.from(expected));

    const cold = { ...options, temperature: 1e-6 };
    const likeliest = await session.bytes((id) => ['sample', id, 1, handle, cold]);
    const again = createRandom(3, 'sample');
    const drawnCold = model.complete(repeated, 4, 14, () => again.next(), { temperature: 1e-6 });
    expect(likeliest).toEqual(Buffer.from(await drawnCold));
    // At such a temperature chance has no part in it.
    expect(likeliest.subarray(0, 784)).toEqual(likeliest.subarray(784, 1568));
    expect(likeliest).not.toEqual(drawn);
    model.dispose();
    for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const refused = await session.failure((id) => ['sample', id, 1, handle, { temperature }]);
      expect(refused).toMatchObject({ code: 'bad-option' });
      expect(refused.message).toContain('temperature');
    }

    const free = await session.bytes((id) => ['sample', id, 1, null, {}]);
    expect(free.length).toBe(784);
    const tooMany = await session.failure((id) => ['sample', id, 1, handle, { count: 4096 }]);
    expect(tooMany.code).toBe('bad-batch');
  });
});
