import * as tf from '@tensorflow/tfjs-core';
import type { SimpleRNNCell } from '@tensorflow/tfjs-layers/dist/layers/recurrent.js';
import { simpleRnn, simpleRnnLastState, simpleRnnWithState } from '../ops/simple-rnn.ts';
import { recurrentLayerClass } from './recurrent-layer.ts';
import { StockSimpleRnn } from './stock.ts';
import type { SequenceOperation, States } from './whole-sequence.ts';

/** Keras' SimpleRNN, computed by `simpleRnn`. */
export class SimpleRnnLayer extends recurrentLayerClass(StockSimpleRnn, (cell) =>
  operationOf(cell as SimpleRNNCell),
) {}

function operationOf(cell: SimpleRNNCell): SequenceOperation {
  const weights = {
    kernel: cell.kernel.read() as tf.Tensor2D,
    recurrentKernel: cell.recurrentKernel.read() as tf.Tensor2D,
    bias: cell.useBias ? (cell.bias.read() as tf.Tensor1D) : tf.zeros<tf.Rank.R1>([cell.units]),
  };
  const from = ([output]: States = []) => (output ? { initialState: output } : {});
  return {
    outputs: (inputs, state) => simpleRnn(inputs, weights, from(state)),
    lastState: (inputs, state) => [simpleRnnLastState(inputs, weights, from(state))],
    withState(inputs, state) {
      const { outputs, lastState } = simpleRnnWithState(inputs, weights, from(state));
      return { outputs, lastState: [lastState] };
    },
  };
}
