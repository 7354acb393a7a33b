import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { diagonalBiLstm } from '../../../../../worker/engine/ops/diagonal-bilstm.ts';
import { diagonalLstm } from '../../../../../worker/engine/ops/diagonal-lstm.ts';
import type { PictureSize } from '../../../../../worker/engine/ops/diagonal-order.ts';
import { NativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import type { DiagonalLstmWeights } from '../../../../../worker/engine/ops/recurrent-weights.ts';
import {
  largestDifference,
  onEachEngine,
  randomTensor,
  valueAndGradients,
} from '../on-each-engine.ts';

interface Case extends PictureSize {
  readonly batch: number;
  readonly features: number;
  readonly units: number;
}

const cases: Case[] = [
  { rows: 4, columns: 6, batch: 3, features: 5, units: 3 },
  { rows: 5, columns: 2, batch: 1, features: 2, units: 7 },
  { rows: 1, columns: 1, batch: 2, features: 3, units: 1 },
];

function inputsOf({ rows, columns, batch, features, units }: Case): tf.Tensor[] {
  const weights = (side: string) => [
    randomTensor(`${side} kernel`, [features, 4 * units]),
    randomTensor(`${side} recurrent kernel`, [2 * units, 4 * units]),
    randomTensor(`${side} bias`, [4 * units]),
    randomTensor(`${side} output`, [units]),
    randomTensor(`${side} cell`, [units]),
  ];
  const maps = randomTensor('maps', [rows * columns, batch, features]);
  return [maps, ...weights('left'), ...weights('right')];
}

/** Both directions' maps one after the other, so that one value has all gradients. */
function bothTogether(size: PictureSize, implementation: Implementation) {
  return ([maps, ...weights]: tf.Tensor[]) => {
    const [left, right] = directions(weights);
    const both = diagonalBiLstm(maps as tf.Tensor3D, { left, right }, size, implementation);
    return tf.concat([both.left, both.right]);
  };
}

function oneByOne(size: PictureSize, implementation: Implementation) {
  return ([maps, ...weights]: tf.Tensor[]) => {
    const [left, right] = directions(weights);
    return tf.concat([
      diagonalLstm(maps as tf.Tensor3D, left, size, 'left', implementation),
      diagonalLstm(maps as tf.Tensor3D, right, size, 'right', implementation),
    ]);
  };
}

function directions(weights: tf.Tensor[]): [DiagonalLstmWeights, DiagonalLstmWeights] {
  const from = (first: number) => {
    const [kernel, recurrentKernel, bias, initialOutput, initialCell] = weights.slice(first);
    return { kernel, recurrentKernel, bias, initialOutput, initialCell } as DiagonalLstmWeights;
  };
  return [from(0), from(5)];
}

onEachEngine((engine, kind) => {
  describe.each(['best', 'operations', 'composed'] as const)(
    'both directions together (%s)',
    (implementation) => {
      it.each(cases)(
        'equal each direction alone, outputs and all gradients: $rows x $columns, $units units',
        (size) => {
          const inputs = inputsOf(size);
          const spread = (f: (inputs: tf.Tensor[]) => tf.Tensor) =>
            valueAndGradients((...given) => f(given), inputs);
          const both = spread(bothTogether(size, implementation));
          const alone = spread(oneByOne(size, 'composed'));
          expect(largestDifference(both.value, alone.value)).toBeLessThan(1e-6);
          for (const [place, gradient] of both.gradients.entries()) {
            const expected = alone.gradients[place] as tf.Tensor;
            expect(largestDifference(gradient, expected)).toBeLessThan(2e-5);
          }
        },
      );

      it('leave no tensor behind, with gradients and without', () => {
        const [size] = cases as [Case];
        const inputs = inputsOf(size);
        const step = () => {
          const layer = bothTogether(size, implementation);
          const { value, gradients } = valueAndGradients((...given) => layer(given), inputs);
          tf.dispose([value, gradients]);
        };
        step();
        const before = engine().liveTensors();
        step();
        step();
        expect(engine().liveTensors()).toBe(before);
      });
    },
  );

  it.runIf(kind === 'native')('take as many operations by name together as one takes alone', () => {
    const calls = vi.spyOn(NativeDispatch.prototype, 'runMany');
    onTestFinished(() => calls.mockRestore());
    const [size] = cases as [Case];
    const [maps, ...weights] = inputsOf(size) as [tf.Tensor3D, ...tf.Tensor[]];
    const [left, right] = directions(weights);
    const callsOf = (layer: () => unknown) => {
      calls.mockClear();
      layer();
      return calls.mock.calls.map(([name]) => name);
    };
    const alone = callsOf(() => diagonalLstm(maps, left, size, 'left', 'operations'));
    const together = callsOf(() => diagonalBiLstm(maps, { left, right }, size, 'operations'));
    expect(alone.filter((name) => name === 'BatchMatMulV2')).toHaveLength(9);
    expect(together).toEqual(alone);
  });
});
