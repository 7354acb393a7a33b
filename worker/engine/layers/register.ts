import * as tf from '@tensorflow/tfjs-core';
import { BidirectionalLayer } from './bidirectional-layer.ts';
import { DiagonalBiLstmLayer } from './diagonal-bilstm-layer.ts';
import { DiagonalLstmLayer } from './diagonal-lstm-layer.ts';
import { GruCell } from './gru-cell.ts';
import { GruLayer } from './gru-layer.ts';
import { LstmLayer } from './lstm-layer.ts';
import { MaskedConvolutionLayer } from './masked-convolution-layer.ts';
import { SimpleRnnLayer } from './simple-rnn-layer.ts';

const layerClasses = [
  SimpleRnnLayer,
  LstmLayer,
  GruLayer,
  GruCell,
  BidirectionalLayer,
  DiagonalLstmLayer,
  DiagonalBiLstmLayer,
  MaskedConvolutionLayer,
];

/**
 * From now on models that tfjs-layers loads or copies get these layers where their config says
 * SimpleRNN, LSTM, GRU, GRUCell and Bidirectional, and know PixelRNN's DiagonalLSTM, DiagonalBiLSTM and
 * MaskedConv2D. What they save is what tfjs' own layers save. `fusedLayers` makes them one by one.
 *
 * @returns puts back what was registered before
 */
export function registerFusedLayers(): () => void {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const before = layerClasses.map(({ className }) => [className, classNameMap[className]] as const);
  for (const layerClass of layerClasses) tf.serialization.registerClass(layerClass);
  return () => {
    for (const [className, entry] of before) {
      if (entry === undefined) delete classNameMap[className];
      else classNameMap[className] = entry;
    }
  };
}
