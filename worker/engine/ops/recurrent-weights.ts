import type * as tf from '@tensorflow/tfjs-core';

/** Keras' layouts. */
export interface SimpleRnnWeights {
  /** [features, units] */
  readonly kernel: tf.Tensor2D;
  /** [units, units] */
  readonly recurrentKernel: tf.Tensor2D;
  /** [units] */
  readonly bias: tf.Tensor1D;
}

/** Keras' layouts, gates in the order i, f, c, o. */
export interface LstmWeights {
  /** [features, 4 · units] */
  readonly kernel: tf.Tensor2D;
  /** [units, 4 · units] */
  readonly recurrentKernel: tf.Tensor2D;
  /** [4 · units] */
  readonly bias: tf.Tensor1D;
}

/** What an LSTM hands from one timestep to the next; each [batch, units]. */
export interface LstmState {
  /** h */
  readonly output: tf.Tensor2D;
  /** c */
  readonly cell: tf.Tensor2D;
}

/** Keras' layouts, gates in the order z, r, h. */
export interface GruWeights {
  /** [features, 3 · units] */
  readonly kernel: tf.Tensor2D;
  /** [units, 3 · units] */
  readonly recurrentKernel: tf.Tensor2D;
  /** [3 · units], or [2, 3 · units] with `resetAfter`: the recurrent product's bias below the inputs' */
  readonly bias: tf.Tensor;
}

/** One direction's weights of a Diagonal BiLSTM; gates in the order i, f, c, o. */
export interface DiagonalLstmWeights {
  /** [features, 4 · units], the input-to-state 1x1 convolution */
  readonly kernel: tf.Tensor2D;
  /** [2 · units, 4 · units], the 2x1 state-to-state convolution: the upper neighbour's rows first */
  readonly recurrentKernel: tf.Tensor2D;
  /** [4 · units] */
  readonly bias: tf.Tensor1D;
  /** [units], the output h that every neighbour outside the picture has */
  readonly initialOutput: tf.Tensor1D;
  /** [units], the cell state c that every neighbour outside the picture has */
  readonly initialCell: tf.Tensor1D;
}
