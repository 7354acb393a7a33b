import * as tf from '@tensorflow/tfjs';
import { beforeEach, describe, expect, test } from 'vitest';
import { type LossName, lossNames } from '../../../../../../shared/tensors/losses.ts';
import type { Options } from '../../../../../../shared/tensors/model-commands.ts';
import { decodeSafetensors } from '../../../../../../worker/engine/checkpoints/safetensors.ts';
import { createRandom } from '../../../../../../worker/engine/random.ts';
import { layerClasses } from '../../../../../../worker/engine/tensors/models/layer-classes.ts';
import { onEachEngine } from '../../on-each-engine.ts';
import { SessionDriver } from '../session-driver.ts';
import { create, save } from './saved-model.ts';

const batchSize = 6;
const random = createRandom(11, 'layers');
const numbers = (count: number) =>
  Float32Array.from({ length: count }, () => 2 * random.next() - 1);

function convolutional(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        ...{ inputShape: [6, 6, 1], filters: 3, kernelSize: 3, activation: 'relu' },
        kernelRegularizer: tf.regularizers.l2({ l2: 0.01 }),
      }),
      tf.layers.batchNormalization(),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
}

function recurrent(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.lstm({ inputShape: [5, 2], units: 3, recurrentActivation: 'sigmoid' }),
      tf.layers.dense({ units: 1, activation: 'sigmoid' }),
    ],
  });
}

onEachEngine((engine) => {
  let session: SessionDriver;
  beforeEach(() => {
    session = new SessionDriver();
  });

  const refusal = async (json: object | string, weights?: Uint8Array) => {
    const text = typeof json === 'string' ? json : JSON.stringify(json);
    const file = await session.uploadFile(Buffer.from(text));
    const weightsFile = weights ? await session.uploadFile(weights) : null;
    const failure = await session.failure((id) => ['createLayersModel', id, 1, file, weightsFile]);
    await session.disposeModel(1);
    return failure;
  };
  const savedState = async (model: number) =>
    decodeSafetensors(await session.bytes((id) => ['saveState', id, model]));

  test.each<[string, () => tf.LayersModel, number[], LossName]>([
    [
      'a convolution, batch normalization and a penalty',
      convolutional,
      [6, 6, 1],
      'categoricalCrossentropy',
    ],
    ['the same, with classes', convolutional, [6, 6, 1], 'sparseCategoricalCrossentropy'],
    ['an LSTM', recurrent, [5, 2], 'binaryCrossentropy'],
    ['an LSTM, with another loss', recurrent, [5, 2], 'meanSquaredError'],
  ])('trains as tf.layers does: %s', async (_what, make, shape, loss) => {
    const model = make();
    await create(session, 1, await save(model));
    const inputs = numbers(batchSize * shape.reduce((size, length) => size * length, 1));
    const isSparse = loss === 'sparseCategoricalCrossentropy';
    const classes = Int32Array.from({ length: batchSize }, (_, at) => at % 3);
    const targets = isSparse
      ? Float32Array.from(classes)
      : make === recurrent
        ? Float32Array.from(classes, (value) => Number(value > 0))
        : Float32Array.from({ length: 3 * batchSize }, (_, at) =>
            Number(classes[Math.floor(at / 3)] === at % 3),
          );
    const targetShape = make === convolutional && !isSparse ? [batchSize, 3] : [batchSize, 1];
    // RMSprop is the same in tfjs and Keras; their Adams add epsilon to different roots.
    model.compile({ optimizer: tf.train.rmsprop(0.01), loss });
    const [x, y] = [tf.tensor(inputs, [batchSize, ...shape]), tf.tensor(targets, targetShape)];
    const batch = [
      await session.upload(inputs, x.shape),
      await session.upload(targets, targetShape),
    ] as const;
    for (let step = 1; step <= 4; step += 1) {
      const expected = Number(await model.trainOnBatch(x, y));
      const { loss: found } = await session.values((id) => [
        'forwardBackward',
        id,
        1,
        ...batch,
        loss,
      ]);
      expect(Math.abs(Number(found) - expected)).toBeLessThan(1e-5);
      await session.values((id) => [
        'optimStep',
        id,
        1,
        { optimizer: 'rmsprop', learningRate: 0.01 },
      ]);
    }
    const weights = await savedState(1);
    for (const weight of model.weights) {
      const found = weights.get(weight.originalName)?.values ?? [];
      for (const [at, value] of weight.read().dataSync().entries()) {
        expect(Math.abs(value - (found[at] ?? Number.NaN)), weight.originalName).toBeLessThan(1e-5);
      }
    }
    const evaluated = model.evaluate(x, y) as tf.Scalar;
    const { loss: found } = await session.values((id) => ['evaluate', id, 1, ...batch, loss]);
    expect(Math.abs(Number(found) - Number(evaluated.dataSync()[0]))).toBeLessThan(1e-5);
    tf.dispose([x, y, evaluated]);
    model.dispose();
  });

  test('gives losses from logits as from their probabilities', async () => {
    const linear = (units: number) =>
      tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units })] });
    const inputs = numbers(4 * batchSize);
    const x = tf.tensor(inputs, [batchSize, 4]);
    const given = await session.upload(inputs, [batchSize, 4]);
    const classes = Int32Array.from({ length: batchSize }, (_, at) => at % 3);
    const cases: [LossName, number, Float32Array | Int32Array, number[], LossName][] = [
      [
        'binaryCrossentropyFromLogits',
        1,
        Float32Array.from(classes, (c) => c % 2),
        [batchSize, 1],
        'binaryCrossentropy',
      ],
      [
        'sparseCategoricalCrossentropyFromLogits',
        3,
        classes,
        [batchSize],
        'sparseCategoricalCrossentropy',
      ],
    ];
    for (const [place, [loss, units, targets, shape, ofProbabilities]] of cases.entries()) {
      const model = linear(units);
      const activation = units === 1 ? 'sigmoid' : 'softmax';
      const probabilities = tf.sequential({
        layers: [...model.layers, tf.layers.activation({ activation })],
      });
      await create(session, place + 1, await save(model));
      await create(session, place + 11, await save(probabilities));
      const wanted = await session.upload(targets, shape);
      const of = async (number: number, name: LossName) =>
        (await session.values((id) => ['evaluate', id, number, given, wanted, name])).loss;
      expect(await of(place + 1, loss)).toBeCloseTo(
        Number(await of(place + 11, ofProbabilities)),
        5,
      );
      model.dispose();
    }
    x.dispose();
  });

  test('refuses targets and inputs that do not fit, which tfjs would stretch', async () => {
    const model = recurrent();
    await create(session, 1, await save(model));
    const right = await session.upload(numbers(5 * 2 * 3), [3, 5, 2]);
    const wrong = await session.upload(numbers(5 * 3 * 3), [3, 5, 3]);
    const row = await session.upload(new Float32Array(3), [3]);
    const ask = async (...[inputs, targets, loss]: [number, number | null, string | null]) =>
      (await session.failure((id) => ['forwardBackward', id, 1, inputs, targets, loss])).message;
    expect(await ask(right, row, 'binaryCrossentropy')).toContain('they are [3]');
    expect(await ask(wrong, row, 'binaryCrossentropy')).toContain('not [3,5,3]');
    expect(await ask(right, null, 'binaryCrossentropy')).toContain('no targets');
    expect(await ask(right, row, null)).toContain('no loss');
    expect(await ask(right, row, 'eval')).toContain('no loss eval');
    const classes = await session.upload(Int32Array.of(0, 1, 0), [3]);
    expect(await ask(right, classes, 'sparseCategoricalCrossentropy')).toContain(
      'these are 0 to 1',
    );
    model.dispose();
  });

  test('a batch that fails leaves the moving averages of a normalization as they were', async () => {
    const model = convolutional();
    await create(session, 1, await save(model));
    const before = await savedState(1);
    const inputs = await session.upload(new Float32Array(36).fill(Number.NaN), [1, 6, 6, 1]);
    const targets = await session.upload(Float32Array.of(1, 0, 0), [1, 3]);
    const failure = await session.failure((id) => [
      'forwardBackward',
      id,
      1,
      inputs,
      targets,
      'meanSquaredError',
    ]);
    expect(failure.code).toBe('not-finite');
    expect(await savedState(1)).toEqual(before);
    model.dispose();
  });

  test('leaves no tensor behind, whether a model was made or not', async () => {
    const model = convolutional();
    const saved = await save(model);
    model.dispose();
    const options: Options = { learningRate: 0.1 };
    let live = 0;
    // What is made once and kept is made at first.
    for (const round of [0, 1, 2]) {
      const at = new SessionDriver();
      await create(at, 1, saved);
      const inputs = await at.upload(numbers(36), [1, 6, 6, 1]);
      const targets = await at.upload(Float32Array.of(1, 0, 0), [1, 3]);
      await at.values((id) => ['forwardBackward', id, 1, inputs, targets, 'meanSquaredError']);
      await at.values((id) => ['optimStep', id, 1, options]);
      await at.values((id) => ['evaluate', id, 1, inputs, targets, 'meanSquaredError']);
      await at.failure((id) => ['forwardBackward', id, 1, inputs, inputs, 'meanSquaredError']);
      await at.disposeModel(1);
      await at.dispose([inputs, targets]);
      await refusal(saved.json, saved.weights.subarray(4));
      const tight = new SessionDriver(saved.weights.length - 1 + JSON.stringify(saved.json).length);
      const file = await tight.uploadFile(Buffer.from(JSON.stringify(saved.json)));
      const told = await tight.failure((id) => ['createLayersModel', id, 1, file, null]);
      expect(told.code).toBe('tensor-memory');
      if (round === 1) live = engine().liveTensors();
    }
    expect(engine().liveTensors()).toBe(live);
  });

  describe('a model.json', () => {
    const layer = (className: unknown, config: object = {}) => ({
      class_name: 'Sequential',
      config: {
        name: 'm',
        layers: [
          {
            class_name: className,
            config: { name: 'l', units: 1, batch_input_shape: [null, 2], ...config },
          },
        ],
      },
    });

    test.each<[string, object | string, string, string]>([
      [
        'a class that nobody has',
        layer('Lambda', { function: 'return 1' }),
        'unknown-layer-class',
        '"Lambda"',
      ],
      ['a property of every object', layer('constructor'), 'unknown-layer-class', '"constructor"'],
      [
        'a class that is no text',
        layer({ a: 1 }),
        'unknown-layer-class',
        '{\\"a\\":1}'.replaceAll('\\', ''),
      ],
      ['an optimizer as a layer', layer('Adam'), 'unknown-layer-class', '"Adam"'],
      [
        'a class named in another spelling',
        layer('Dense', { kernelInitializer: { className: 'Evil', config: {} } }),
        'unknown-layer-class',
        '"Evil"',
      ],
      [
        'a prototype',
        `{"class_name":"Sequential","config":{"__proto__":{"a":1}}}`,
        'bad-model-json',
        '__proto__',
      ],
      ['a stateful layer', layer('LSTM', { stateful: true }), 'model-unsupported', 'stateful'],
      ['no JSON', '{', 'bad-model-json', 'no JSON'],
      ['no topology', '[]', 'bad-model-json', 'no topology'],
      [
        'a layer without its options',
        { class_name: 'Sequential', config: [{ class_name: 'Dense', config: {} }] },
        'bad-model-json',
        'units',
      ],
      [
        'no input shape',
        { class_name: 'Sequential', config: [{ class_name: 'Dense', config: { units: 1 } }] },
        'bad-model-json',
        'inputShape',
      ],
      ['a layer beyond any memory', layer('Dense', { units: 1e12 }), 'tensor-memory', 'bytes'],
    ])('with %s is refused, and says so', async (_what, json, code, words) => {
      const failure = await refusal(json);
      expect(failure, failure.message).toMatchObject({ code });
      expect(failure.message).toContain(words);
    });

    test('nested without end is refused', async () => {
      const failure = await refusal(`${'{"config":'.repeat(5000)}1${'}'.repeat(5000)}`);
      expect(failure).toMatchObject({ code: 'bad-model-json' });
    });

    test('is refused where its weights are not those that were given', async () => {
      const weights = new Uint8Array(12);
      expect((await refusal(layer('Dense'), weights)).message).toContain('describes none');
      const manifest = (entry: object) => ({
        modelTopology: layer('Dense'),
        weightsManifest: [{ weights: [entry] }],
      });
      const entry = { name: 'l/kernel', shape: [2, 1], dtype: 'float32' };
      expect((await refusal(manifest(entry), weights)).message).toContain(
        '8 bytes of weights, and 12',
      );
      expect((await refusal(manifest({ ...entry, quantization: {} }), weights)).message).toContain(
        'quantized',
      );
      expect((await refusal(manifest({ ...entry, shape: [3] }), weights)).code).toBe(
        'bad-model-json',
      );
    });
  });
});

test('the classes that a client may name are tfjs-layers’, but for optimizers', () => {
  const known = Object.keys(tf.serialization.SerializationMap.getMap().classNameMap);
  const optimizers = ['Adadelta', 'Adagrad', 'Adam', 'Adamax', 'Momentum', 'RMSProp', 'SGD'];
  expect(known.filter((name) => !layerClasses.has(name)).sort()).toEqual(optimizers);
  expect([...layerClasses].filter((name) => !known.includes(name)).sort()).toEqual([]);
  expect(new Set(lossNames).size).toBe(8);
});
