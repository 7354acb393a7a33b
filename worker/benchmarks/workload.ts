import { z } from 'zod';

/**
 * What a participant is asked to prepare: everything it has to know, so that peers in other
 * languages need no table of ours. What is timed is one step.
 */

const positive = z.number().int().positive();

const sentimentSchema = z.object({
  kind: z.literal('sentiment'),
  /** Embedding, the layers, Dense(1, sigmoid); binary cross-entropy; float32. */
  layer: z.enum(['SimpleRNN', 'LSTM', 'GRU']),
  layers: positive,
  units: positive,
  batch: positive,
  timesteps: positive,
  vocabulary: positive,
  embeddingUnits: positive,
  /** RMSprop with Keras' defaults. */
  learningRate: z.number().positive(),
  /** File of int32 tokens [batches, batch, timesteps] and then int32 labels [batches, batch]. */
  inputs: z.string(),
  batches: positive,
});

const pixelRnnSchema = z.object({
  kind: z.literal('pixel-rnn'),
  layers: positive,
  /** h of each direction; maps are 2h wide. */
  units: positive,
  outputUnits: positive,
  batch: positive,
  /** Adam with Keras' defaults, gradients clipped to this global norm. */
  learningRate: z.number().positive(),
  clipNorm: z.number().positive(),
  /** File of uint8 pixels 0 or 1 [batches, batch, 28, 28]. */
  inputs: z.string(),
  batches: positive,
});

const completionSchema = z.object({
  kind: z.literal('completion'),
  layers: positive,
  units: positive,
  outputUnits: positive,
  pictures: positive,
  /** Rows of 28 that are given. */
  givenRows: positive,
  /** Evaluates whole pictures for every pixel, and draws the last row only: every row costs the same. */
  naive: z.boolean(),
  /** File of uint8 pixels 0 or 1 [pictures, 28, 28]. */
  inputs: z.string(),
});

const epochSchema = z.object({
  kind: z.literal('epoch'),
  /** With its default settings, on the real data. */
  recipe: z.literal('imdb-simple-rnn'),
});

const dispatchSchema = z.object({
  kind: z.literal('dispatch'),
  /** Additions of two vectors of four numbers in one step. */
  operations: positive,
  /** `addon`: by the addon's own function, without the engine's. */
  through: z.enum(['engine', 'addon']),
});

const productSchema = z.object({
  kind: z.literal('matrix-product'),
  /** Of two square matrices. */
  size: positive,
});

const layerSchema = z.object({
  kind: z.literal('layer'),
  /** Forward and backward of the layer alone. */
  layer: z.enum(['SimpleRNN', 'LSTM', 'GRU', 'DiagonalLSTM']),
  batch: positive,
  /** Of a Diagonal LSTM the pixels. */
  timesteps: positive,
  units: positive,
});

export const workloadSchema = z.discriminatedUnion('kind', [
  sentimentSchema,
  pixelRnnSchema,
  completionSchema,
  epochSchema,
  dispatchSchema,
  productSchema,
  layerSchema,
]);

export type Workload = z.infer<typeof workloadSchema>;
export type WorkloadOf<Kind extends Workload['kind']> = Extract<Workload, { kind: Kind }>;
