import * as tf from '@tensorflow/tfjs-core';
import type { ImplementationName, LayerName } from '../../../shared/engine-report.ts';
import { dense } from '../ops/dense.ts';
import { diagonalBiLstm } from '../ops/diagonal-bilstm.ts';
import { diagonalBiLstmLayer } from '../ops/diagonal-bilstm-layer.ts';
import { shiftDown } from '../ops/diagonal-lstm.ts';
import { gruWithState } from '../ops/gru.ts';
import { lstmWithState } from '../ops/lstm.ts';
import { maskedConvolution } from '../ops/masked-convolution.ts';
import type {
  DiagonalLstmWeights,
  GruWeights,
  LstmWeights,
  SimpleRnnWeights,
} from '../ops/recurrent-weights.ts';
import { simpleRnnWithState } from '../ops/simple-rnn.ts';
import type { LayerFunction, NamedShape, ProbedLayer } from './probed-layer.ts';
import type { ProbeSize } from './sizes.ts';

/** The engine's layers, each with all that it can be given and all that it gives. */
export const probedLayers: readonly ProbedLayer[] = [
  layer('SimpleRNN', ['kernel', 'cudnn', 'operations', 'composed'], {
    inputs: (size) => sequenceInputs(size, 1, [size.units], ['state']),
    results: (size) => sequenceResults(size, ['last state']),
    at:
      (implementation) =>
      ([inputs, state, ...weights]) => {
        const options = { implementation, initialState: state as tf.Tensor2D };
        const given = named<SimpleRnnWeights>(sequenceWeights, weights);
        const { outputs, lastState } = simpleRnnWithState(inputs as tf.Tensor3D, given, options);
        return [outputs, lastState];
      },
  }),
  layer('LSTM', ['kernel', 'cudnn', 'block', 'operations', 'composed'], {
    inputs: (size) => sequenceInputs(size, 4, [4 * size.units], ['output', 'cell']),
    results: (size) => sequenceResults(size, ['last output', 'last cell']),
    at:
      (implementation) =>
      ([inputs, output, cell, ...weights]) => {
        const initialState = { output: output as tf.Tensor2D, cell: cell as tf.Tensor2D };
        const { outputs, lastState } = lstmWithState(
          inputs as tf.Tensor3D,
          named<LstmWeights>(sequenceWeights, weights),
          { implementation, initialState },
        );
        return [outputs, lastState.output, lastState.cell];
      },
  }),
  layer('GRU', ['kernel', 'cudnn', 'composed'], gru({ resetAfter: true })),
  layer('GRUResetBefore', ['kernel', 'composed'], gru({ resetAfter: false })),
  layer('DiagonalLSTM', ['kernel', 'operations', 'composed'], {
    inputs: ({ rows, columns, batch, features, units }) => [
      { name: 'inputs', shape: [rows * columns, batch, features] },
      ...(['left', 'right'] as const).flatMap((direction) => [
        { name: `${direction} kernel`, shape: [features, 4 * units] },
        { name: `${direction} recurrent kernel`, shape: [2 * units, 4 * units] },
        { name: `${direction} bias`, shape: [4 * units] },
        { name: `${direction} initial output`, shape: [units] },
        { name: `${direction} initial cell`, shape: [units] },
      ]),
      { name: 'upsampling kernel', shape: [units, features] },
      { name: 'upsampling bias', shape: [features] },
    ],
    results: ({ rows, columns, batch, features, units }) => [
      { name: 'left outputs', shape: [rows * columns, batch, units] },
      { name: 'right outputs', shape: [rows * columns, batch, units] },
      { name: 'outputs upsampled', shape: [rows * columns, batch, features] },
    ],
    at:
      (implementation, size) =>
      ([maps, ...weights]) => {
        const both = {
          left: named<DiagonalLstmWeights>(diagonalWeights, weights.slice(0, 5)),
          right: named<DiagonalLstmWeights>(diagonalWeights, weights.slice(5, 10)),
        };
        const upsample = { kernel: weights[10] as tf.Tensor2D, bias: weights[11] as tf.Tensor1D };
        const input = maps as tf.Tensor3D;
        const { left, right } = diagonalBiLstm(input, both, size, implementation);
        if (implementation === 'kernel') {
          return [left, right, diagonalBiLstmLayer(input, { ...both, upsample }, size, 'kernel')];
        }
        // Composed, the layer is made of the same maps: to compute them anew would try nothing more.
        const outputs = dense(
          tf.add(left, shiftDown(right, size)),
          upsample.kernel,
          upsample.bias,
          { residual: input, implementation },
        );
        return [left, right, outputs];
      },
  }),
  layer('Dense', ['kernel', 'composed'], {
    inputs: ({ rows, columns, batch, features, units }) => [
      { name: 'inputs', shape: [rows * columns, batch, features] },
      { name: 'kernel', shape: [features, units] },
      { name: 'bias', shape: [units] },
      { name: 'residual', shape: [rows * columns, batch, units] },
    ],
    results: ({ rows, columns, batch, units }) =>
      ['outputs after ReLU', 'outputs with the residual'].map((name) => ({
        name,
        shape: [rows * columns, batch, units],
      })),
    at:
      (implementation) =>
      ([inputs, kernel, bias, residual]) => {
        const given = [inputs as tf.Tensor3D, kernel as tf.Tensor2D, bias as tf.Tensor1D] as const;
        return [
          dense(...given, { relu: true, implementation }),
          dense(...given, { residual: residual as tf.Tensor3D, implementation }),
        ];
      },
  }),
  layer('MaskedConvolution', ['kernel', 'composed'], {
    inputs: ({ rows, columns, batch, features, units }) => [
      { name: 'inputs', shape: [rows * columns, batch, features] },
      { name: 'kernel', shape: [3, 3, features, units] },
      { name: 'bias', shape: [units] },
    ],
    results: ({ rows, columns, batch, units }) =>
      ['outputs with mask A', 'outputs with mask B'].map((name) => ({
        name,
        shape: [rows * columns, batch, units],
      })),
    at:
      (implementation, size) =>
      ([inputs, kernel, bias]) =>
        (['A', 'B'] as const).map((mask) => {
          const [maps, weights] = [inputs as tf.Tensor3D, kernel as tf.Tensor4D];
          return maskedConvolution(maps, weights, bias as tf.Tensor1D, size, mask, {
            implementation,
          });
        }),
  }),
];

interface Definition {
  readonly inputs: ProbedLayer['inputs'];
  readonly results: ProbedLayer['results'];
  readonly at: (
    implementation: ImplementationName,
    size: ProbeSize,
  ) => (inputs: Parameters<LayerFunction>) => tf.Tensor[];
}

function layer(
  layer: LayerName,
  implementations: readonly ImplementationName[],
  { inputs, results, at }: Definition,
): ProbedLayer {
  const by = (name: ImplementationName) => (size: ProbeSize) => {
    const run = at(name, size);
    return (...tensors: tf.Tensor[]) => run(tensors);
  };
  const candidates = implementations.map((name) => ({ name, at: by(name) }));
  return { layer, inputs, results, candidates, reference: by('composed') };
}

function gru({ resetAfter }: { readonly resetAfter: boolean }): Definition {
  return {
    inputs: (size) => {
      const bias = resetAfter ? [2, 3 * size.units] : [3 * size.units];
      return sequenceInputs(size, 3, bias, ['state']);
    },
    results: (size) => sequenceResults(size, ['last state']),
    at:
      (implementation) =>
      ([inputs, state, ...weights]) => {
        const options = { implementation, resetAfter, initialState: state as tf.Tensor2D };
        const given = named<GruWeights>(sequenceWeights, weights);
        const { outputs, lastState } = gruWithState(inputs as tf.Tensor3D, given, options);
        return [outputs, lastState];
      },
  };
}

const sequenceWeights = ['kernel', 'recurrentKernel', 'bias'];
const diagonalWeights = [...sequenceWeights, 'initialOutput', 'initialCell'];

/** @param names a weights interface's own */
const named = <Weights>(names: readonly string[], weights: readonly tf.Tensor[]): Weights =>
  Object.fromEntries(names.map((name, place) => [name, weights[place]])) as Weights;

function sequenceInputs(
  { rows, columns, batch, features, units }: ProbeSize,
  gates: number,
  bias: readonly number[],
  states: readonly string[],
): NamedShape[] {
  return [
    { name: 'inputs', shape: [rows * columns, batch, features] },
    ...states.map((name) => ({ name: `initial ${name}`, shape: [batch, units] })),
    { name: 'kernel', shape: [features, gates * units] },
    { name: 'recurrent kernel', shape: [units, gates * units] },
    { name: 'bias', shape: bias },
  ];
}

function sequenceResults(
  { rows, columns, batch, units }: ProbeSize,
  states: readonly string[],
): NamedShape[] {
  return [
    { name: 'outputs', shape: [rows * columns, batch, units] },
    ...states.map((name) => ({ name, shape: [batch, units] })),
  ];
}
