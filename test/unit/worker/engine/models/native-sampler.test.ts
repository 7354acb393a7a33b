import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from '../../../../../worker/engine/backend/engine.ts';
import type { PictureModel } from '../../../../../worker/engine/models/model.ts';
import { completeNaively } from '../../../../../worker/engine/models/naive-sampling.ts';
import {
  NativeSampler,
  type SampledNetwork,
} from '../../../../../worker/engine/models/native-sampler.ts';
import { PixelCnnReport } from '../../../../../worker/engine/models/pixel-cnn-report.ts';
import { PixelRnn } from '../../../../../worker/engine/models/pixel-rnn.ts';
import { chooseKernels } from '../../../../../worker/engine/ops/choose.ts';
import type { PictureSize } from '../../../../../worker/engine/ops/diagonal-order.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { randomizeWeights } from './causality.ts';

const small: PictureSize = { rows: 8, columns: 7 };
const digits: PictureSize = { rows: 28, columns: 28 };
const count = 100;

interface Case {
  readonly name: string;
  readonly size: PictureSize;
  readonly firstRow: number;
  readonly network: Omit<SampledNetwork, 'weights'>;
  make(): PictureModel;
}

const pixelRnn = (layers: number, units: number): Case => ({
  name: `a PixelRNN of ${layers} layers with ${units} units`,
  size: small,
  firstRow: 4,
  network: { diagonalLayers: layers, reluFrom: 0 },
  make: () => new PixelRnn({ seed: 2, layers, units, outputUnits: 9 }, small),
});
const cases: readonly Case[] = [
  pixelRnn(1, 6),
  pixelRnn(3, 6),
  pixelRnn(1, 20),
  {
    name: 'the report’s PixelCNN',
    size: digits,
    firstRow: 26,
    network: { diagonalLayers: 0, reluFrom: 8 },
    make: () => new PixelCnnReport({ seed: 2 }),
  },
];

function randomPictures({ rows, columns }: PictureSize, pictures = count): Uint8Array {
  const random = createRandom(3, 'pictures');
  return Uint8Array.from({ length: pictures * rows * columns }, () => Number(random.next() < 0.4));
}

/** The next float32 towards minus infinity. */
function nextBelow(value: number): number {
  if (value === 0) return -(2 ** -149);
  const bits = new Int32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] ?? 0) + (value > 0 ? -1 : 1);
  return new Float32Array(bits.buffer)[0] ?? Number.NaN;
}

let engine: Engine;
let isNative = false;
beforeAll(async () => {
  engine = await openEngine();
  isNative = chooseKernels('best') !== undefined;
  if (!isNative) console.warn('Not checked: the sampling kernels need the native engine on a CPU.');
});

function withModel(test: (model: PictureModel, given: Case) => Promise<void>) {
  return async (given: Case) => {
    if (!isNative) return;
    const model = given.make();
    randomizeWeights(model.variables, 5);
    await test(model, given);
    model.dispose();
  };
}

/** The recipe's network. One test has it: the naive sampler evaluates it whole for each pixel. */
const recipesSize: Case = {
  name: 'a PixelRNN of 1 layer with 32 units over 28x28',
  size: digits,
  firstRow: 26,
  network: { diagonalLayers: 1, reluFrom: 0 },
  make: () => new PixelRnn({ seed: 2, layers: 1, units: 32, outputUnits: 32 }, digits),
};

describe('the native sampler', () => {
  it.each([...cases, recipesSize])(
    'completes 100 pictures with $name as the naive sampler does, to the bit',
    withModel(async (model, { size, firstRow }) => {
      const given = randomPictures(size);
      const [one, other] = [createRandom(9), createRandom(9)];
      const quick = await model.complete(given, count, firstRow, () => one.next());
      const random = () => other.next();
      expect(quick).toEqual(await completeNaively(model, given, { size, count, firstRow, random }));
      expect(one.state()).toBe(other.state());
    }),
  );

  it.each(cases)(
    'computes the very logits of a whole evaluation with $name',
    withModel(async (model, { size, network }) => {
      const { rows, columns } = size;
      const wanted = randomPictures(size);
      const logits = tf.tidy(() =>
        model
          .logits(tf.tensor(Float32Array.from(wanted), [count, rows, columns, 1]))
          .dataSync<'float32'>(),
      );
      const kernels = chooseKernels('best');
      if (kernels === undefined) throw new Error('There were kernels.');
      const weights = [...model.variables.values()];
      const sampler = new NativeSampler(kernels, { ...network, weights }, size, count);
      const drawn = new Uint8Array(wanted.length);
      for (let row = 0; row < rows; row++) {
        // On the right side of such a threshold is only this logit: the next one below it is not.
        const thresholds = Float32Array.from({ length: columns * count }, (_, place) => {
          const picture = place % count;
          const at = (picture * rows + row) * columns + Math.floor(place / count);
          return wanted[at] === 1 ? nextBelow(logits[at] ?? 0) : (logits[at] ?? 0);
        });
        await sampler.drawRow(drawn, row, thresholds);
      }
      sampler.dispose();
      expect(drawn).toEqual(wanted);
    }),
  );

  it.each(cases)(
    'completes a picture alike with $name, whatever others are completed with it',
    withModel(async (model, { size, firstRow }) => {
      const { rows, columns } = size;
      const random = createRandom(4);
      const uniform = Float64Array.from({ length: count * rows * columns }, () => random.next());
      const given = randomPictures(size);
      // Random numbers by pixel and picture, in the order in which these pictures take them.
      const complete = (first: number, pictures: number) => {
        let taken = 0;
        const cells = rows * columns;
        return model.complete(
          given.subarray(first * cells, (first + pictures) * cells),
          pictures,
          firstRow,
          () => {
            const pixel = firstRow * columns + Math.floor(taken / pictures);
            const picture = first + (taken++ % pictures);
            return uniform[picture * cells + pixel] ?? Number.NaN;
          },
        );
      };
      const together = await complete(0, count);
      const parts = await Promise.all([complete(0, 1), complete(1, 62), complete(63, 37)]);
      expect(Buffer.concat(parts)).toEqual(Buffer.from(together));
    }),
  );

  it.each(cases)(
    'never looks at what it is to draw with $name, and leaves nothing behind',
    withModel(async (model, { size, firstRow }) => {
      const given = randomPictures(size);
      const complete = (pictures: Uint8Array) => {
        const random = createRandom(6);
        return model.complete(pictures, count, firstRow, () => random.next());
      };
      const completed = await complete(given);
      const before = engine.liveTensors();
      const cells = size.rows * size.columns;
      const other = given.map((pixel, at) =>
        at % cells < firstRow * size.columns ? pixel : 1 - pixel,
      );
      expect(await complete(other)).toEqual(completed);
      expect(engine.liveTensors()).toBe(before);
    }),
  );

  it('names the argument that does not fit, and lives on', () => {
    const kernels = chooseKernels('best');
    if (kernels === undefined) return;
    const model = new PixelRnn({ seed: 2, layers: 1, units: 3, outputUnits: 4 }, small);
    const weights = [...model.variables.values()];
    const draw = (given: { pixels?: number[]; above?: tf.Tensor; weights?: tf.Tensor[] }) =>
      tf.tidy(() => {
        const [pixels = [7, 2], list = weights] = [given.pixels, given.weights];
        const attributes = [
          ...[kernels.intAttribute('columns', 7), kernels.intAttribute('layers', 1)],
          ...[kernels.intAttribute('relu_from', 0), kernels.boolAttribute('keep', true)],
          kernels.intAttribute('N', list.length),
        ];
        const thresholds = tf.zeros([7, 2]);
        const above = given.above ?? tf.tensor1d([]);
        const inputs = [tf.zeros(pixels), thresholds, above, ...list];
        return kernels.runOnTensors('TeletrainDrawRow', attributes, inputs, 2).length;
      });
    expect(draw({})).toBe(2);
    expect(() => draw({ pixels: [8, 2] })).toThrow(
      'TeletrainDrawRow: argument pixels has 8 pixels',
    );
    expect(() => draw({ pixels: [14, 2] })).toThrow('argument above is missing');
    expect(() => draw({ above: tf.zeros([14, 2, 4]) })).toThrow(
      'argument above has the shape [14, 2, 4], not [14, 2, 3]',
    );
    expect(() => draw({ above: tf.zeros([14, 2, 3]) })).toThrow("given for a picture's first row");
    expect(() => draw({ weights: weights.slice(0, 5) })).toThrow('argument weights[4]');
    expect(() =>
      draw({ weights: [...weights.slice(0, 4), tf.zeros([3]), ...weights.slice(5)] }),
    ).toThrow('argument weights[4] has the shape [3], not [12]');
    expect(() => draw({ weights: weights.slice(0, -2) })).toThrow(
      'is not the last one, of one logit',
    );
    expect(draw({})).toBe(2);
    model.dispose();
  });
});
