import * as tf from '@tensorflow/tfjs-core';
import {
  constraints,
  input,
  layers,
  model as makeModel,
  models,
  sequential,
} from '@tensorflow/tfjs-layers';
import { afterAll, describe, expect, it } from 'vitest';
import { TeletrainError } from '../../../../../shared/errors.ts';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { BidirectionalLayer } from '../../../../../worker/engine/layers/bidirectional-layer.ts';
import { fusedLayers } from '../../../../../worker/engine/layers/fused-layers.ts';
import { GruCell } from '../../../../../worker/engine/layers/gru-cell.ts';
import { registerFusedLayers } from '../../../../../worker/engine/layers/register.ts';
import { largestDifference, randomTensor } from '../on-each-engine.ts';
import { initialStatesOf, type LayerCase, sequencesOf, size } from './layer-cases.ts';
import { train } from './train.ts';

await openEngine();
afterAll(registerFusedLayers());
const { batch, timesteps, features, units } = size;
const { lstm, gru, simpleRNN, bidirectional } = fusedLayers;
const recurrent = { units, name: 'mine' };

describe('dropout', () => {
  const dropping = { units, returnSequences: true, dropout: 0.5 } as const;
  const steady = () => {
    const one = randomTensor<tf.Rank.R3>('one timestep', [64, 1, features]);
    return tf.tile(one, [1, 3, 1]);
  };

  it('drops the same features at every timestep, others for each example, and only in training', () => {
    const layer = simpleRNN({
      ...dropping,
      kernelInitializer: 'ones',
      recurrentInitializer: 'zeros',
    });
    // Small, so that no sum of them is one at which tanh is 1 to the last bit.
    const inputs = tf.mul(steady(), 0.2) as tf.Tensor3D;
    const whole = layer.apply(inputs) as tf.Tensor;
    const dropped = layer.apply(inputs, { training: true }) as tf.Tensor;
    const first = tf.slice(dropped, [0, 0, 0], [-1, 1, -1]);
    expect(largestDifference(tf.tile(first, [1, 3, 1]), dropped)).toBe(0);
    expect(largestDifference(layer.apply(inputs) as tf.Tensor, whole)).toBe(0);
    // tanh of a sum of the features that are left, each doubled.
    const sums = tf.atanh(tf.reshape(tf.slice(dropped, [0, 0, 0], [-1, 1, 1]), [64])).dataSync();
    const values = tf
      .reshape(tf.slice(inputs, [0, 0, 0], [-1, 1, -1]), [64, features])
      .arraySync() as number[][];
    const kept = new Set<number>();
    for (const [example, sum] of sums.entries()) {
      const subsets = Array.from({ length: 2 ** features }, (_, subset) => subset);
      const fits = subsets.filter((subset) => {
        const expected = (values[example] ?? []).reduce(
          (total, value, feature) => total + (subset & (1 << feature) ? 2 * value : 0),
          0,
        );
        return Math.abs(expected - sum) < 1e-3;
      });
      expect(fits.length).toBeGreaterThan(0);
      for (const subset of fits) kept.add(subset);
    }
    expect(kept.size).toBeGreaterThan(10);
  });

  it.each([
    ['SimpleRNN', () => simpleRNN({ ...dropping, recurrentDropout: 0.5 })],
    ['LSTM', () => lstm({ ...dropping, recurrentDropout: 0.5 })],
    ['GRU', () => gru({ ...dropping, recurrentDropout: 0.5 })],
    [
      'GRU that resets before',
      () => gru({ ...dropping, recurrentDropout: 0.5, resetAfter: false }),
    ],
  ])('of a %s’s state changes what it gives in training alone, each time anew', (_, make) => {
    const layer = make();
    const inputs = steady();
    const [whole, again] = [layer.apply(inputs), layer.apply(inputs)] as tf.Tensor[];
    expect(largestDifference(whole as tf.Tensor, again as tf.Tensor)).toBe(0);
    const [one, other] = [1, 2].map(() => layer.apply(inputs, { training: true })) as tf.Tensor[];
    expect(largestDifference(one as tf.Tensor, whole as tf.Tensor)).toBeGreaterThan(0.01);
    expect(largestDifference(one as tf.Tensor, other as tf.Tensor)).toBeGreaterThan(0.01);
  });
});

describe('an option that cannot be honoured', () => {
  const refused = (message: RegExp) =>
    expect.objectContaining({
      code: 'layer-option-unsupported',
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });

  it.each([
    ['activityRegularizer', { activityRegularizer: 'l1l2' }],
    ['timeMajor', { timeMajor: true }],
  ])('is refused by its name when a layer is made: %s', (option, options) => {
    for (const make of [simpleRNN, lstm, gru]) {
      const given = { units, name: 'mine', ...options };
      expect(() => make(given)).toThrow(TeletrainError);
      expect(() => make(given)).toThrow(refused(new RegExp(`mine does not support ${option}`)));
    }
  });

  const policy = (name: string) => ({
    module: 'keras',
    className: 'DTypePolicy',
    config: { name },
    registeredName: null,
  });
  const makers: [string, (dtype: never) => unknown][] = [
    ['SimpleRNN', (dtype) => simpleRNN({ ...recurrent, dtype })],
    ['LSTM', (dtype) => lstm({ ...recurrent, dtype })],
    ['GRU', (dtype) => gru({ ...recurrent, dtype })],
    ['GRUCell', (dtype) => new GruCell({ ...recurrent, dtype })],
    [
      'Bidirectional',
      (dtype) => bidirectional({ name: 'mine', layer: lstm({ units }) as never, dtype }),
    ],
    ['DiagonalLSTM', (dtype) => fusedLayers.diagonalLSTM({ ...recurrent, dtype })],
    ['DiagonalBiLSTM', (dtype) => fusedLayers.diagonalBiLSTM({ ...recurrent, dtype })],
    [
      'MaskedConv2D',
      (dtype) =>
        fusedLayers.maskedConv2d({
          name: 'mine',
          filters: units,
          kernelSize: 3,
          mask: 'A',
          dtype,
        }),
    ],
  ];

  it.each(makers)('is refused by its name: a dtype of a %s other than float32', (layer, make) => {
    for (const dtype of ['float64', 'float16', 'mixed_float16', 'bfloat16']) {
      const message = refused(
        new RegExp(`^The layer ${layer} mine does not .* dtype ${dtype}\\.$`),
      );
      for (const given of [dtype, policy(dtype)]) {
        // tfjs declares fewer dtypes than Keras has.
        expect(() => make(given as never)).toThrow(message);
      }
    }
    for (const dtype of [undefined, null, 'float32', policy('float32')]) {
      expect(() => make(dtype as never)).not.toThrow();
    }
  });

  it('is refused in a model that is loaded: a layer of mixed precision', async () => {
    const model = sequential({
      layers: [lstm({ ...recurrent, batchInputShape: [batch, timesteps, features] })],
    });
    const written = JSON.parse(String(model.toJSON()));
    const [layer] = written.config.layers;
    const load = (dtype: unknown) =>
      models.modelFromJSON({
        modelTopology: {
          ...written,
          config: {
            ...written.config,
            layers: [{ ...layer, config: { ...layer.config, dtype } }],
          },
        },
      });
    await expect(load('float32')).resolves.toBeDefined();
    const mixed = { class_name: 'DTypePolicy', config: { name: 'mixed_float16' } };
    await expect(load(mixed)).rejects.toEqual(refused(/LSTM mine .* the dtype mixed_float16/));
  });

  it('is refused in training, but not before: a constraint', async () => {
    const layer = lstm({
      units,
      recurrentConstraint: constraints.nonNeg(),
      batchInputShape: [batch, timesteps, features],
    });
    const model = sequential({ layers: [layer] });
    const inputs = randomTensor('inputs', [batch, timesteps, features]);
    model.predict(inputs);
    await expect(train(model, inputs)).rejects.toEqual(
      refused(/does not support recurrentConstraint in training/),
    );
  });

  it('is refused by its name when a model is loaded: another backward layer', () => {
    const written = bidirectional({ layer: lstm({ units }) as never }).getConfig();
    const forward = written.layer as { className: string; config: tf.serialization.ConfigDict };
    const load = (config: tf.serialization.ConfigDict) => () => {
      const mirrored = { ...forward.config, goBackwards: true, ...config };
      return BidirectionalLayer.fromConfig(BidirectionalLayer, {
        ...written,
        backwardLayer: { ...forward, config: mirrored },
      });
    };
    expect(load({ name: 'of its own' })).not.toThrow();
    expect(load({ activation: 'relu' })).toThrow(refused(/a backwardLayer of other options/));
    expect(load({ goBackwards: false })).toThrow(refused(/a backwardLayer of other options/));
  });
});

describe('a model of several recurrent layers', () => {
  it('gives an initial state and a mask to the layers that have them alone', async () => {
    const [sequence, first, second] = [
      input({ batchShape: [batch, timesteps, features] }),
      input({ batchShape: [batch, units] }),
      input({ batchShape: [batch, units] }),
    ] as const;
    const made = {
      masking: layers.masking({ maskValue: 0 }),
      encoder: lstm({ units, returnSequences: true }),
      decoder: gru({ units }),
      repeat: layers.repeatVector({ n: timesteps }),
      last: simpleRNN({ units }),
    };
    const masked = made.masking.apply(sequence) as typeof sequence;
    const encoded = made.encoder.apply(masked, { initialState: [first, second] });
    const decoded = made.decoder.apply(encoded as typeof sequence) as typeof sequence;
    const repeated = made.repeat.apply(decoded) as typeof sequence;
    const outputs = made.last.apply(repeated) as typeof sequence;
    const model = makeModel({ inputs: [sequence, first, second], outputs });

    const layer = { make: made.last.constructor, masked: true, states: 2 } as unknown as LayerCase;
    const inputs = [sequencesOf(layer), ...initialStatesOf(layer)] as tf.Tensor[];
    const mask = tf.any(tf.notEqual(inputs[0] as tf.Tensor, 0), 2);
    const oneByOne = [
      made.encoder.apply(inputs[0] as tf.Tensor, { mask, initialState: inputs.slice(1) }),
    ] as tf.Tensor[];
    const code = made.decoder.apply(oneByOne[0] as tf.Tensor, { mask });
    const expected = made.last.apply(made.repeat.apply(code as tf.Tensor) as tf.Tensor);
    expect(largestDifference(model.predict(inputs) as tf.Tensor, expected as tf.Tensor)).toBe(0);
    await expect(train(model, inputs)).resolves.toBeUndefined();
  });
});
