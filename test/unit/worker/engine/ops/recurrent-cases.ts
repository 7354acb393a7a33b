import * as tf from '@tensorflow/tfjs-core';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { diagonalLstm } from '../../../../../worker/engine/ops/diagonal-lstm.ts';
import { gruWithState } from '../../../../../worker/engine/ops/gru.ts';
import { lstmWithState } from '../../../../../worker/engine/ops/lstm.ts';
import { simpleRnnWithState } from '../../../../../worker/engine/ops/simple-rnn.ts';
import { randomTensor } from '../on-each-engine.ts';
import { diagonalLstm64, gru64, lstm64, simpleRnn64 } from './double-precision-layers.ts';
import { plainDiagonalLstm, plainGru, plainLstm, plainSimpleRnn } from './plain-recurrences.ts';

/** A picture's pixels are `rows` times `columns`, a sequence's timesteps too. */
export interface Size {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  readonly features: number;
  readonly units: number;
}

export type Recurrence = (...given: tf.Tensor[]) => tf.Tensor[];

/** An operation with all that it takes (inputs, weights, states) and gives (outputs, last states). */
export interface RecurrentCase {
  /** The kernel's name; the way back is the same with Grad. */
  readonly operation: string;
  shapes(size: Size): number[][];
  run(implementation: Implementation, size: Size): Recurrence;
  plain(size: Size): Recurrence;
  /** Results one after the other. */
  inDouble(size: Size, given: Float64Array[]): Float64Array;
}

/** Shapes of the inputs, weights and states of a sequence's recurrence. */
function sequenceShapes(gates: number, states: number, biases: 1 | 2) {
  return ({ rows, columns, batch, features, units }: Size) => [
    [rows * columns, batch, features],
    [features, gates * units],
    [units, gates * units],
    biases === 2 ? [2, gates * units] : [gates * units],
    ...Array.from({ length: states }, () => [batch, units]),
  ];
}

function weightsOf<Weights>([kernel, recurrentKernel, bias]: tf.Tensor[]): Weights {
  // Of the ranks that the shapes give them.
  return { kernel, recurrentKernel, bias } as Weights;
}

type WeightsOf<Operation extends (...given: never[]) => unknown> = Parameters<Operation>[1];

function resettingGru(resetAfter: boolean): RecurrentCase {
  return {
    operation: 'TeletrainGRU',
    shapes: sequenceShapes(3, 1, resetAfter ? 2 : 1),
    plain: () => plainGru(resetAfter),
    inDouble: (size, given) => gru64(size, given, resetAfter),
    run:
      (implementation) =>
      (inputs, ...given) => {
        const options = { resetAfter, implementation, initialState: given[3] as tf.Tensor2D };
        const weights = weightsOf<WeightsOf<typeof gruWithState>>(given);
        const { outputs, lastState } = gruWithState(inputs as tf.Tensor3D, weights, options);
        return [outputs, lastState];
      },
  };
}

function diagonal(direction: 'left' | 'right'): RecurrentCase {
  const fromRight = direction === 'right';
  return {
    operation: 'TeletrainDiagonalLSTM',
    shapes: ({ rows, columns, batch, features, units }) => [
      [rows * columns, batch, features],
      [features, 4 * units],
      [2 * units, 4 * units],
      [4 * units],
      [units],
      [units],
    ],
    plain: ({ rows, columns }) => plainDiagonalLstm(rows, columns, fromRight),
    inDouble: (size, given) => diagonalLstm64(size, given, fromRight),
    run:
      (implementation, size) =>
      (maps, ...given) => {
        const [initialOutput, initialCell] = given.slice(3) as [tf.Tensor1D, tf.Tensor1D];
        const weights = {
          ...weightsOf<WeightsOf<typeof diagonalLstm>>(given),
          initialOutput,
          initialCell,
        };
        return [diagonalLstm(maps as tf.Tensor3D, weights, size, direction, implementation)];
      },
  };
}

export const recurrentCases: Record<string, RecurrentCase> = {
  SimpleRNN: {
    operation: 'TeletrainSimpleRNN',
    shapes: sequenceShapes(1, 1, 1),
    plain: () => plainSimpleRnn,
    inDouble: simpleRnn64,
    run:
      (implementation) =>
      (inputs, ...given) => {
        const options = { implementation, initialState: given[3] as tf.Tensor2D };
        const weights = weightsOf<WeightsOf<typeof simpleRnnWithState>>(given);
        const { outputs, lastState } = simpleRnnWithState(inputs as tf.Tensor3D, weights, options);
        return [outputs, lastState];
      },
  },
  LSTM: {
    operation: 'TeletrainLSTM',
    shapes: sequenceShapes(4, 2, 1),
    plain: () => plainLstm,
    inDouble: lstm64,
    run:
      (implementation) =>
      (inputs, ...given) => {
        const [output, cell] = given.slice(3) as [tf.Tensor2D, tf.Tensor2D];
        const options = { implementation, initialState: { output, cell } };
        const weights = weightsOf<WeightsOf<typeof lstmWithState>>(given);
        const { outputs, lastState } = lstmWithState(inputs as tf.Tensor3D, weights, options);
        return [outputs, lastState.output, lastState.cell];
      },
  },
  GRU: resettingGru(true),
  'GRU that resets before': resettingGru(false),
  'Diagonal LSTM from the left': diagonal('left'),
  'Diagonal LSTM from the right': diagonal('right'),
};

/** Sequences or pictures, weights and states, small enough that no unit is saturated. */
export function givenTo(layer: RecurrentCase, size: Size): tf.Tensor[] {
  const scale = 0.8 / Math.sqrt(size.units);
  return layer
    .shapes(size)
    .map((shape, place) => randomTensor(`${place}`, shape as [number], place === 0 ? 1 : scale));
}

/** All results in one vector, so that one loss has the gradients of all. */
export function inOne(recurrence: Recurrence): (...given: tf.Tensor[]) => tf.Tensor {
  return (...given) => tf.concat(recurrence(...given).map((result) => tf.reshape(result, [-1])));
}
