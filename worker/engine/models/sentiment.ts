import * as tf from '@tensorflow/tfjs-core';
import type { Settings } from '../../../shared/recipes.ts';
import { type BinaryHeadWeights, binaryHead, binaryLogits } from '../ops/binary-head.ts';
import { chooseKernels } from '../ops/choose.ts';
import { embedding, lookUp, lookUpGradient } from '../ops/embedding.ts';
import { gru, gruLastState } from '../ops/gru.ts';
import { lstm, lstmLastState } from '../ops/lstm.ts';
import type { GruWeights, LstmWeights, SimpleRnnWeights } from '../ops/recurrent-weights.ts';
import { simpleRnn, simpleRnnLastState } from '../ops/simple-rnn.ts';
import {
  glorotUniform,
  type Initializer,
  orthogonal,
  uniform,
  unitForgetBias,
  zeros,
} from './initializers.ts';
import type { Batch, GradientResult, KerasTopology, StepResult, TrainableModel } from './model.ts';
import { type WeightSpecification, Weights } from './weights.ts';

const tableName = 'embedding/embeddings';

/** Keras' layers with its default options. */
export type SentimentLayer = 'SimpleRNN' | 'LSTM' | 'GRU';

/** What shapes the network; a part of the recipes' settings. */
export type SentimentShape = Pick<
  Settings<'imdb-simple-rnn'>,
  'seed' | 'vocabulary' | 'timesteps' | 'embeddingUnits' | 'units' | 'layers'
>;

/**
 * Embedding, a stack of recurrent layers and Dense(1, sigmoid), with Keras' names, layouts and
 * initial distributions. The last recurrent layer hands on its last timestep only. No mask: the
 * recurrence runs over the padding too, as in Keras without `mask_zero`.
 *
 * Inputs int32 [batch, timesteps], targets 0 or 1 [batch] or [batch, 1].
 */
export class SentimentModel implements TrainableModel {
  readonly keras: KerasTopology;
  readonly #layer: SentimentLayer;
  readonly #names: readonly string[];
  readonly #weights: Weights;

  constructor(layer: SentimentLayer, shape: SentimentShape) {
    this.#layer = layer;
    this.#names = recurrentNames(layer, shape.layers);
    this.#weights = new Weights(shape.seed, sentimentSpecifications(layer, shape));
    this.keras = topology(layer, this.#names, shape);
  }

  get variables(): ReadonlyMap<string, tf.Variable> {
    return this.#weights.variables;
  }

  /** [batch, 1]: what the sigmoid of the last layer is applied to. */
  logits(tokens: tf.Tensor): tf.Tensor2D {
    return tf.tidy(() => binaryLogits(this.#features(this.#vectors(tokens)), this.#head()));
  }

  /** The tokens' vectors, [timesteps, batch, units]. */
  #vectors(tokens: tf.Tensor): tf.Tensor3D {
    const table = this.#weights.get(tableName);
    const native = chooseKernels('best');
    // The model's contract: tokens are a matrix.
    if (native) return lookUp(native, table, tokens as tf.Tensor2D);
    return embedding(table, tf.transpose(tokens)) as tf.Tensor3D;
  }

  /** What the recurrent layers make of the tokens' vectors in the end, [batch, units]. */
  #features(vectors: tf.Tensor3D): tf.Tensor2D {
    const { all, last } = recurrences[this.#layer];
    const sequence = this.#names
      .slice(0, -1)
      .reduce((input, name) => all(input, this.#recurrentWeights(name)), vectors);
    return last(sequence, this.#recurrentWeights(this.#names.at(-1) ?? ''));
  }

  #head(): BinaryHeadWeights {
    return {
      kernel: this.#weights.get('dense/kernel'),
      bias: this.#weights.get<tf.Tensor1D>('dense/bias'),
    };
  }

  #recurrentWeights(name: string): RecurrentWeights {
    return {
      kernel: this.#weights.get(`${name}/kernel`),
      recurrentKernel: this.#weights.get(`${name}/recurrent_kernel`),
      bias: this.#weights.get<tf.Tensor1D>(`${name}/bias`),
    };
  }

  lossAndGradients(batch: Batch): GradientResult {
    const native = chooseKernels('best');
    if (native === undefined) return this.#weights.gradients(() => this.evaluate(batch));
    const tokens = batch.inputs as tf.Tensor2D;
    const vectors = this.#vectors(tokens);
    const { shape } = this.#weights.get(tableName);
    const gradient = (dy: tf.Tensor) => lookUpGradient(native, shape[0], tokens, dy as tf.Tensor3D);
    try {
      return this.#weights.gradients(() => this.#evaluate(vectors, batch.targets), {
        [tableName]: { vectors, gradient },
      });
    } finally {
      vectors.dispose();
    }
  }

  evaluate(batch: Batch): StepResult {
    return tf.tidy(() => {
      const { loss, metrics } = this.#evaluate(this.#vectors(batch.inputs), batch.targets);
      return { loss, metrics: { ...metrics } };
    });
  }

  #evaluate(vectors: tf.Tensor3D, targets: tf.Tensor): StepResult {
    const { loss, accuracy } = binaryHead(this.#features(vectors), this.#head(), targets);
    return { loss, metrics: { accuracy } };
  }

  dispose(): void {
    this.#weights.dispose();
  }
}

type RecurrentWeights = SimpleRnnWeights & LstmWeights & GruWeights;

interface Recurrence {
  /** Every output, [timesteps, batch, units]. */
  all(sequence: tf.Tensor3D, weights: RecurrentWeights): tf.Tensor3D;
  /** The last timestep's, [batch, units]. */
  last(sequence: tf.Tensor3D, weights: RecurrentWeights): tf.Tensor2D;
}

const recurrences: Readonly<Record<SentimentLayer, Recurrence>> = {
  SimpleRNN: { all: simpleRnn, last: simpleRnnLastState },
  LSTM: { all: lstm, last: (sequence, weights) => lstmLastState(sequence, weights).output },
  GRU: { all: gru, last: gruLastState },
};

interface LayerFacts {
  /** Keras' automatic name of the first. */
  readonly name: string;
  readonly gates: number;
  /** From the number of gates times units. */
  readonly biasShape: (width: number) => readonly number[];
  readonly bias: Initializer;
  readonly config: Readonly<Record<string, unknown>>;
}

const layerFacts: Readonly<Record<SentimentLayer, LayerFacts>> = {
  SimpleRNN: {
    name: 'simple_rnn',
    gates: 1,
    biasShape: (width) => [width],
    bias: zeros,
    config: {},
  },
  LSTM: {
    name: 'lstm',
    gates: 4,
    biasShape: (width) => [width],
    bias: unitForgetBias,
    config: { recurrent_activation: 'sigmoid', unit_forget_bias: true },
  },
  GRU: {
    name: 'gru',
    gates: 3,
    biasShape: (width) => [2, width],
    bias: zeros,
    config: { recurrent_activation: 'sigmoid', reset_after: true },
  },
};

/** Keras' automatic names: simple_rnn, simple_rnn_1, … */
function recurrentNames(layer: SentimentLayer, count: number): string[] {
  const base = layerFacts[layer].name;
  return Array.from({ length: count }, (_, index) => (index === 0 ? base : `${base}_${index}`));
}

export function sentimentSpecifications(
  layer: SentimentLayer,
  shape: SentimentShape,
): WeightSpecification[] {
  const names = recurrentNames(layer, shape.layers);
  const { gates, biasShape, bias } = layerFacts[layer];
  const recurrent = names.flatMap((name, index): WeightSpecification[] => {
    const features = index === 0 ? shape.embeddingUnits : shape.units;
    return [
      [`${name}/kernel`, [features, gates * shape.units], glorotUniform],
      [`${name}/recurrent_kernel`, [shape.units, gates * shape.units], orthogonal],
      [`${name}/bias`, biasShape(gates * shape.units), bias],
    ];
  });
  return [
    [tableName, [shape.vocabulary, shape.embeddingUnits], uniform(0.05)],
    ...recurrent,
    ['dense/kernel', [shape.units, 1], glorotUniform],
    ['dense/bias', [1], zeros],
  ];
}

function topology(
  layer: SentimentLayer,
  names: readonly string[],
  shape: SentimentShape,
): KerasTopology {
  return {
    layers: [
      {
        className: 'Embedding',
        config: {
          name: 'embedding',
          input_dim: shape.vocabulary,
          output_dim: shape.embeddingUnits,
          mask_zero: false,
          input_length: shape.timesteps,
          batch_input_shape: [null, shape.timesteps],
        },
        weights: [tableName],
      },
      ...names.map((name, index) => ({
        className: layer,
        config: {
          name,
          units: shape.units,
          activation: 'tanh',
          ...layerFacts[layer].config,
          use_bias: true,
          return_sequences: index < names.length - 1,
        },
        weights: [`${name}/kernel`, `${name}/recurrent_kernel`, `${name}/bias`],
      })),
      {
        className: 'Dense',
        config: { name: 'dense', units: 1, activation: 'sigmoid', use_bias: true },
        weights: ['dense/kernel', 'dense/bias'],
      },
    ],
  };
}
