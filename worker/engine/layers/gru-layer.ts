import * as tf from '@tensorflow/tfjs-core';
import { gru, gruLastState, gruWithState } from '../ops/gru.ts';
import { GruCell } from './gru-cell.ts';
import { recurrentLayerClass } from './recurrent-layer.ts';
import { type GruArguments, StockGru } from './stock.ts';
import type { SequenceOperation, States } from './whole-sequence.ts';

/** Keras' GRU with `resetAfter` true, which tfjs' own refuses, or false, computed by `gru`. */
export class GruLayer extends recurrentLayerClass(StockGru, (cell) =>
  operationOf(cell as GruCell),
) {
  /** @throws TeletrainError `layer-option-unsupported` */
  constructor(given: GruArguments) {
    super({ ...given, resetAfter: false });
    // tfjs' constructor makes a cell of its own class, which knows one of the two forms only.
    Object.assign(this, { cell: new GruCell(given) });
  }
}

function operationOf(cell: GruCell): SequenceOperation {
  const { resetAfter } = cell;
  const weights = {
    kernel: cell.kernel.read() as tf.Tensor2D,
    recurrentKernel: cell.recurrentKernel.read() as tf.Tensor2D,
    bias: cell.useBias ? cell.bias.read() : tf.zeros([...cell.biasShape]),
  };
  const from = ([output]: States = []) => ({ resetAfter, ...(output && { initialState: output }) });
  return {
    outputs: (inputs, state) => gru(inputs, weights, from(state)),
    lastState: (inputs, state) => [gruLastState(inputs, weights, from(state))],
    withState(inputs, state) {
      const { outputs, lastState } = gruWithState(inputs, weights, from(state));
      return { outputs, lastState: [lastState] };
    },
  };
}
