import type * as tf from '@tensorflow/tfjs-core';
import type { Settings } from '../../../shared/recipes.ts';
import type { DiagonalBiLstmLayerWeights } from '../ops/diagonal-bilstm-layer.ts';
import type { DiagonalLstmWeights } from '../ops/recurrent-weights.ts';
import { glorotUniform, unitForgetBias, zeros } from './initializers.ts';
import type { WeightSpecification, Weights } from './weights.ts';

/** What shapes the network; a part of the recipe's settings. */
export type PixelRnnShape = Pick<
  Settings<'digits-pixel-rnn'>,
  'seed' | 'layers' | 'units' | 'outputUnits'
>;

export interface ConvolutionWeights<Kernel extends tf.Tensor = tf.Tensor2D> {
  readonly kernel: Kernel;
  readonly bias: tf.Tensor1D;
}

/** One Diagonal BiLSTM layer with the 1x1 convolution [units, 2 · units] after it. */
export type PixelRnnLayer = DiagonalBiLstmLayerWeights;

/** The network's weights by their place in it. */
export interface PixelRnnWeights {
  /** [7, 7, 1, 2 · units], masked */
  readonly input: ConvolutionWeights<tf.Tensor4D>;
  readonly layers: readonly PixelRnnLayer[];
  /** 1x1 convolutions, each after a ReLU; the last gives the logit. */
  readonly output: readonly ConvolutionWeights[];
}

const inputKernelSize = 7;
const outputNames = ['output_0', 'output_1', 'logit'];

export function pixelRnnSpecifications(shape: PixelRnnShape): WeightSpecification[] {
  const { layers, units, outputUnits } = shape;
  const maps = 2 * units;
  const convolution = (name: string, kernel: readonly number[]): WeightSpecification[] => [
    [`${name}/kernel`, kernel, glorotUniform],
    [`${name}/bias`, kernel.slice(-1), zeros],
  ];
  const direction = (name: string): WeightSpecification[] => [
    [`${name}/kernel`, [maps, 4 * units], glorotUniform],
    [`${name}/recurrent_kernel`, [2 * units, 4 * units], glorotUniform],
    [`${name}/bias`, [4 * units], unitForgetBias],
    [`${name}/initial_output`, [units], zeros],
    [`${name}/initial_cell`, [units], zeros],
  ];
  const diagonalLayers = Array.from({ length: layers }, (_, layer) => [
    ...direction(`layer_${layer}/left`),
    ...direction(`layer_${layer}/right`),
    ...convolution(`layer_${layer}/upsample`, [units, maps]),
  ]);
  const widths = [maps, outputUnits, outputUnits, 1];
  return [
    ...convolution('input', [inputKernelSize, inputKernelSize, 1, maps]),
    ...diagonalLayers.flat(),
    ...outputNames.flatMap((name, index) => convolution(name, widths.slice(index, index + 2))),
  ];
}

export function pixelRnnWeights(weights: Weights, layers: number): PixelRnnWeights {
  const convolution = <Kernel extends tf.Tensor = tf.Tensor2D>(name: string) => ({
    kernel: weights.get<Kernel>(`${name}/kernel`),
    bias: weights.get<tf.Tensor1D>(`${name}/bias`),
  });
  const direction = (name: string): DiagonalLstmWeights => ({
    ...convolution(name),
    recurrentKernel: weights.get(`${name}/recurrent_kernel`),
    initialOutput: weights.get<tf.Tensor1D>(`${name}/initial_output`),
    initialCell: weights.get<tf.Tensor1D>(`${name}/initial_cell`),
  });
  return {
    input: convolution<tf.Tensor4D>('input'),
    layers: Array.from({ length: layers }, (_, layer) => ({
      left: direction(`layer_${layer}/left`),
      right: direction(`layer_${layer}/right`),
      upsample: convolution(`layer_${layer}/upsample`),
    })),
    output: outputNames.map((name) => convolution(name)),
  };
}
