import { BidirectionalLayer } from './bidirectional-layer.ts';
import { type DiagonalBiLstmArguments, DiagonalBiLstmLayer } from './diagonal-bilstm-layer.ts';
import { type DiagonalLstmArguments, DiagonalLstmLayer } from './diagonal-lstm-layer.ts';
import { GruLayer } from './gru-layer.ts';
import { LstmLayer } from './lstm-layer.ts';
import {
  type MaskedConvolutionArguments,
  MaskedConvolutionLayer,
} from './masked-convolution-layer.ts';
import { SimpleRnnLayer } from './simple-rnn-layer.ts';
import type {
  BidirectionalArguments,
  GruArguments,
  LstmArguments,
  SimpleRnnArguments,
} from './stock.ts';

const kerasRecurrent = { kernelInitializer: 'glorotUniform' } as const;
const kerasGated = {
  ...kerasRecurrent,
  recurrentActivation: 'sigmoid',
  implementation: 2,
} as const;

/**
 * Makes layers as `tf.layers` does, with Keras' defaults where tfjs' differ: Glorot's uniform kernel,
 * sigmoid gates, an LSTM's forget bias of one and a GRU that resets after the product.
 *
 * Each throws TeletrainError `layer-option-unsupported` for an option that it cannot honour.
 */
export const fusedLayers = {
  simpleRNN: (given: SimpleRnnArguments) => new SimpleRnnLayer({ ...kerasRecurrent, ...given }),
  lstm: (given: LstmArguments) => new LstmLayer({ ...kerasGated, unitForgetBias: true, ...given }),
  gru: (given: GruArguments) => new GruLayer({ ...kerasGated, resetAfter: true, ...given }),
  /** Needs `registerFusedLayers` before it, as tfjs copies the wrapped layer by its class name. */
  bidirectional: (given: BidirectionalArguments) => new BidirectionalLayer(given),
  diagonalLSTM: (given: DiagonalLstmArguments) => new DiagonalLstmLayer(given),
  diagonalBiLSTM: (given: DiagonalBiLstmArguments) => new DiagonalBiLstmLayer(given),
  maskedConv2d: (given: MaskedConvolutionArguments) => new MaskedConvolutionLayer(given),
};
