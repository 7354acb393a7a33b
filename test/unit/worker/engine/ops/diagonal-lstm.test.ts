import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { diagonalLstm, shiftDown } from '../../../../../worker/engine/ops/diagonal-lstm.ts';
import {
  diagonalOrder,
  type PictureSize,
  skewedColumns,
} from '../../../../../worker/engine/ops/diagonal-order.ts';
import { maskedConvolution } from '../../../../../worker/engine/ops/masked-convolution.ts';
import type { DiagonalLstmWeights } from '../../../../../worker/engine/ops/recurrent-weights.ts';
import {
  directionalRatios,
  largestDifference,
  onEachEngine,
  randomTensor,
  valueAndGradients,
} from '../on-each-engine.ts';
import { skewedBiLstm } from './skewed-diagonal-lstm.ts';

const [batch, features, units] = [2, 3, 2];
const sizes: PictureSize[] = [
  { rows: 4, columns: 4 },
  { rows: 5, columns: 3 },
  { rows: 2, columns: 5 },
  { rows: 1, columns: 4 },
  { rows: 4, columns: 1 },
];

function layerInputs({ rows, columns }: PictureSize): tf.Tensor[] {
  const direction = (name: string) => [
    randomTensor(`${name} kernel`, [features, 4 * units]),
    randomTensor(`${name} recurrent kernel`, [2 * units, 4 * units]),
    randomTensor(`${name} bias`, [4 * units]),
    randomTensor(`${name} output`, [units]),
    randomTensor(`${name} cell`, [units]),
  ];
  const maps = randomTensor('maps', [rows * columns, batch, features]);
  return [maps, ...direction('left'), ...direction('right')];
}

type BiLstm = (
  maps: tf.Tensor3D,
  weights: Parameters<typeof skewedBiLstm>[1],
  size: PictureSize,
) => tf.Tensor3D;

function ofInputs(layer: BiLstm, size: PictureSize) {
  return (...[maps, ...weights]: tf.Tensor[]) => {
    const direction = (from: number) => {
      const [kernel, recurrentKernel, bias, initialOutput, initialCell] = weights.slice(from);
      return { kernel, recurrentKernel, bias, initialOutput, initialCell } as DiagonalLstmWeights;
    };
    return layer(maps as tf.Tensor3D, { left: direction(0), right: direction(5) }, size);
  };
}

function biLstm(implementation: Implementation): BiLstm {
  return (maps, weights, size) => {
    const left = diagonalLstm(maps, weights.left, size, 'left', implementation);
    const right = diagonalLstm(maps, weights.right, size, 'right', implementation);
    return tf.add(left, shiftDown(right, size));
  };
}

onEachEngine((engine) => {
  describe.each(sizes)('the Diagonal BiLSTM of pictures of $rows x $columns', (size) => {
    it.each(['best', 'composed'] as const)(
      'equals the paper’s skewed map, outputs and all gradients (%s)',
      (implementation) => {
        const inputs = layerInputs(size);
        const whole = valueAndGradients(ofInputs(biLstm(implementation), size), inputs);
        const definition = valueAndGradients(ofInputs(skewedBiLstm, size), inputs);
        expect(largestDifference(whole.value, definition.value)).toBeLessThan(1e-6);
        for (const [place, gradient] of whole.gradients.entries()) {
          const expected = definition.gradients[place] as tf.Tensor;
          expect(largestDifference(gradient, expected)).toBeLessThan(2e-5);
        }
      },
    );
  });

  it('has the gradients that central differences show', () => {
    const size = { rows: 4, columns: 5 };
    for (const ratio of directionalRatios(ofInputs(biLstm('best'), size), layerInputs(size))) {
      expect(ratio).toBeCloseTo(1, 1.5);
    }
  });

  it('leaves no tensor behind, with gradients and without', () => {
    const size = { rows: 3, columns: 3 };
    const inputs = layerInputs(size);
    const step = () => {
      for (const implementation of ['best', 'composed'] as const) {
        const f = ofInputs(biLstm(implementation), size);
        const { value, gradients } = valueAndGradients(f, inputs);
        tf.dispose([value, gradients]);
      }
    };
    step();
    const before = engine().liveTensors();
    step();
    step();
    expect(engine().liveTensors()).toBe(before);
  });

  it.each(['A', 'B'] as const)('convolves as a masked kernel of mask %s would', (mask) => {
    const size = { rows: 5, columns: 6 };
    const pictures = randomTensor<tf.Rank.R4>('pictures', [2, 5, 6, 1]);
    const kernel = randomTensor<tf.Rank.R4>('kernel', [7, 7, 1, 3]);
    const bias = randomTensor<tf.Rank.R1>('bias', [3]);
    const alive = tf.tensor4d(
      Array.from({ length: 49 }, (_, tap) => Number(tap < 24 || (tap === 24 && mask === 'B'))),
      [7, 7, 1, 1],
    );
    const whole = tf.add(tf.conv2d(pictures, tf.mul(kernel, alive), 1, 'same'), bias);
    const pixels = tf.transpose(tf.reshape(pictures, [2, 30, 1]), [1, 0, 2]) as tf.Tensor3D;
    const { value, gradients } = valueAndGradients(
      (k, b) => maskedConvolution(pixels, k as tf.Tensor4D, b as tf.Tensor1D, size, mask),
      [kernel, bias],
    );
    const expected = tf.transpose(tf.reshape(whole, [2, 30, 3]), [1, 0, 2]);
    expect(largestDifference(value, expected)).toBeLessThan(1e-5);
    const masked = tf.mul(gradients[0] as tf.Tensor, tf.sub(1, alive));
    expect(tf.max(tf.abs(masked)).dataSync()[0]).toBe(0);
  });
});

describe('the diagonal order', () => {
  it('lists every pixel once, diagonal by diagonal from the side that it scans from', () => {
    const size = { rows: 2, columns: 3 };
    expect([...diagonalOrder(size, 'left')]).toEqual([0, 1, 3, 2, 4, 5]);
    expect([...diagonalOrder(size, 'right')]).toEqual([2, 1, 5, 0, 4, 3]);
    expect(skewedColumns(size).map(({ cells }) => cells)).toEqual([1, 2, 2, 1]);
  });
});
