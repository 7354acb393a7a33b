import * as tf from '@tensorflow/tfjs-core';
import type { LSTMCell } from '@tensorflow/tfjs-layers/dist/layers/recurrent.js';
import { lstm, lstmLastState, lstmWithState } from '../ops/lstm.ts';
import { recurrentLayerClass } from './recurrent-layer.ts';
import { StockLstm } from './stock.ts';
import type { SequenceOperation, States } from './whole-sequence.ts';

/** Keras' LSTM, computed by `lstm`. */
export class LstmLayer extends recurrentLayerClass(StockLstm, (cell) =>
  operationOf(cell as LSTMCell),
) {}

function operationOf({
  kernel,
  recurrentKernel,
  bias,
  useBias,
  units,
}: LSTMCell): SequenceOperation {
  const weights = {
    kernel: kernel.read() as tf.Tensor2D,
    recurrentKernel: recurrentKernel.read() as tf.Tensor2D,
    bias: useBias ? (bias.read() as tf.Tensor1D) : tf.zeros<tf.Rank.R1>([4 * units]),
  };
  const from = ([output, cell]: States = []) =>
    output && cell ? { initialState: { output, cell } } : {};
  return {
    outputs: (inputs, state) => lstm(inputs, weights, from(state)),
    lastState(inputs, state) {
      const { output, cell } = lstmLastState(inputs, weights, from(state));
      return [output, cell];
    },
    withState(inputs, state) {
      const { outputs, lastState } = lstmWithState(inputs, weights, from(state));
      return { outputs, lastState: [lastState.output, lastState.cell] };
    },
  };
}
