import * as tf from '@tensorflow/tfjs-core';
import { input, type LayersModel, layers, model, regularizers } from '@tensorflow/tfjs-layers';
import type { Layer } from '@tensorflow/tfjs-layers/dist/engine/topology.js';
import { fusedLayers } from '../../../../../worker/engine/layers/fused-layers.ts';
import type { RNN } from '../../../../../worker/engine/layers/stock.ts';
import { randomTensor } from '../on-each-engine.ts';

export const size = { batch: 3, timesteps: 6, features: 5, units: 4 };

/** A layer in a model of its own, and how it is compared. */
export interface LayerCase {
  readonly make: () => Pick<Layer, 'apply' | 'getWeights' | 'setWeights' | 'getConfig'>;
  /** Initial states, which are inputs of the model. Default: none. */
  readonly states?: number;
  /** Some timesteps are zeros, and masked. Default: none. */
  readonly masked?: boolean;
  /** A step of training is compared too; of a layer of one output. Default: no. */
  readonly trained?: boolean;
  /** Calls one after the other. Default: one. */
  readonly calls?: number;
}

const { units } = size;
const whole = { units, returnSequences: true } as const;
const { simpleRNN, lstm, gru, bidirectional } = fusedLayers;
const inBoth = (layer: object, mergeMode: 'concat' | 'sum' | 'mul' | 'ave' | null = 'concat') =>
  // tfjs' type leaves null out, which it takes.
  bidirectional({ layer: layer as RNN, mergeMode: mergeMode as 'concat' });

/** What the kernels compute. */
export const kernelCases: Record<string, LayerCase> = {
  'SimpleRNN over all timesteps': { make: () => simpleRNN(whole), trained: true },
  'SimpleRNN to its last output': { make: () => simpleRNN({ units }), trained: true },
  'SimpleRNN without bias, backwards': {
    make: () => simpleRNN({ ...whole, useBias: false, goBackwards: true }),
    trained: true,
  },
  'SimpleRNN with regularizers': {
    make: () =>
      simpleRNN({
        units,
        kernelRegularizer: regularizers.l2({ l2: 0.02 }),
        recurrentRegularizer: regularizers.l1({ l1: 0.03 }),
        biasRegularizer: regularizers.l1l2({ l1: 0.01, l2: 0.04 }),
      }),
    trained: true,
  },
  'SimpleRNN from a state, with its last': {
    make: () => simpleRNN({ ...whole, returnState: true }),
    states: 1,
  },
  'SimpleRNN that keeps its state': {
    make: () => simpleRNN({ ...whole, stateful: true }),
    calls: 3,
  },
  'LSTM over all timesteps': { make: () => lstm(whole), trained: true },
  'LSTM to its last output': { make: () => lstm({ units }), trained: true },
  'LSTM without bias, backwards': {
    make: () => lstm({ units, useBias: false, goBackwards: true }),
    trained: true,
  },
  'LSTM from a state, with its last': {
    make: () => lstm({ ...whole, returnState: true }),
    states: 2,
  },
  'LSTM to its last state from a state': {
    make: () => lstm({ units, returnState: true }),
    states: 2,
  },
  'LSTM that keeps its state': { make: () => lstm({ units, stateful: true }), calls: 3 },
  'GRU over all timesteps': { make: () => gru(whole), trained: true },
  'GRU to its last output': { make: () => gru({ units }), trained: true },
  'GRU without bias, backwards': {
    make: () => gru({ ...whole, useBias: false, goBackwards: true }),
    trained: true,
  },
  'GRU from a state, with its last': {
    make: () => gru({ ...whole, returnState: true }),
    states: 1,
  },
  'GRU that resets before': { make: () => gru({ ...whole, resetAfter: false }), trained: true },
  'GRU that resets before, without bias, from a state': {
    make: () => gru({ units, resetAfter: false, useBias: false, returnState: true }),
    states: 1,
  },
  'Bidirectional LSTM, joined': { make: () => inBoth(lstm(whole)), trained: true },
  'Bidirectional LSTM to its last outputs': { make: () => inBoth(lstm({ units })), trained: true },
  'Bidirectional LSTM from states, with its last': {
    make: () => inBoth(lstm({ ...whole, returnState: true })),
    states: 4,
  },
  'Bidirectional SimpleRNN, added': { make: () => inBoth(simpleRNN(whole), 'sum'), trained: true },
  'Bidirectional SimpleRNN with a regularizer': {
    make: () => inBoth(simpleRNN({ units, kernelRegularizer: regularizers.l2({ l2: 0.05 }) })),
    trained: true,
  },
  'Bidirectional GRU, multiplied': { make: () => inBoth(gru(whole), 'mul'), trained: true },
  'Bidirectional GRU that resets before, averaged': {
    make: () => inBoth(gru({ ...whole, resetAfter: false }), 'ave'),
    trained: true,
  },
  'Bidirectional GRU of two outputs': { make: () => inBoth(gru(whole), null) },
};

/** What tfjs' own loop over timesteps computes, with these layers' weights. */
export const loopCases: Record<string, LayerCase> = {
  'SimpleRNN with a mask': { make: () => simpleRNN(whole), masked: true, trained: true },
  'SimpleRNN with a mask from a state': {
    make: () => simpleRNN({ ...whole, returnState: true }),
    masked: true,
    states: 1,
  },
  'LSTM with a mask': { make: () => lstm(whole), masked: true, trained: true },
  'LSTM with a mask from a state, backwards': {
    make: () => lstm({ ...whole, returnState: true, goBackwards: true }),
    masked: true,
    states: 2,
  },
  'LSTM with a mask to its last state from a state': {
    make: () => lstm({ units, returnState: true }),
    masked: true,
    states: 2,
  },
  'GRU with a mask': { make: () => gru(whole), masked: true, trained: true },
  'GRU with a mask that resets before': {
    make: () => gru({ units, resetAfter: false }),
    masked: true,
    trained: true,
  },
  'Bidirectional LSTM with a mask': {
    make: () => inBoth(lstm(whole)),
    masked: true,
    trained: true,
  },
  'SimpleRNN of relu': { make: () => simpleRNN({ ...whole, activation: 'relu' }), trained: true },
  'LSTM of softsign with relu gates': {
    make: () => lstm({ ...whole, activation: 'softsign', recurrentActivation: 'relu' }),
    trained: true,
  },
  'GRU of elu': { make: () => gru({ ...whole, activation: 'elu' }), trained: true },
  'GRU of elu without bias': {
    make: () => gru({ ...whole, activation: 'elu', useBias: false }),
    trained: true,
  },
  'GRU of elu that resets before': {
    make: () => gru({ units, activation: 'elu', resetAfter: false }),
    trained: true,
  },
};

/** A model of the layer alone, with random weights. */
export function modelOf({ make, masked, states = 0 }: LayerCase): LayersModel {
  const sequence = input({ batchShape: [size.batch, size.timesteps, size.features] });
  const initial = Array.from({ length: states }, () => input({ batchShape: [size.batch, units] }));
  const shown = masked ? layers.masking({ maskValue: 0 }).apply(sequence) : sequence;
  const layer = make();
  const outputs = layer.apply(
    shown as ReturnType<typeof input>,
    states > 0 ? { initialState: initial } : {},
  );
  const made = model({
    inputs: [sequence, ...initial],
    outputs: outputs as ReturnType<typeof input>[],
  });
  tf.tidy(() => {
    const weights = layer.getWeights();
    layer.setWeights(
      weights.map(({ shape }, place) => randomTensor(`weight ${place}`, shape, 0.7)),
    );
  });
  return made;
}

/** Sequences of one call; where masked, one example begins, one ends and one is all but hidden. */
export function sequencesOf({ masked }: LayerCase, call = 0): tf.Tensor3D {
  const { batch, timesteps, features } = size;
  const values = randomTensor<tf.Rank.R3>(`sequences ${call}`, [batch, timesteps, features]);
  if (!masked) return values;
  const shown = [
    [0, 0, 1, 0, 1, 1],
    [1, 1, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
  ];
  return tf.mul(values, tf.expandDims(tf.tensor2d(shown), -1));
}

export function initialStatesOf({ states = 0 }: LayerCase): tf.Tensor[] {
  return Array.from({ length: states }, (_, place) =>
    randomTensor(`state ${place}`, [size.batch, units]),
  );
}
