/**
 * The losses of a model from a model.json, by Keras' names. Each is a mean over a batch's examples, and
 * for more than one output an example over these, as `tf.layers` has them; the crossentropies are in
 * nats. A recipe's model has its recipe's loss and takes none of these.
 */
export const lossNames = [
  /** Outputs and targets of one shape. */
  'meanSquaredError',
  'meanAbsoluteError',
  /** Outputs are probabilities; targets 0 or 1 (or a probability) of the same shape. */
  'binaryCrossentropy',
  /** Outputs are probabilities of classes [batch, ..., classes]; targets of the same shape, e.g. one-hot. */
  'categoricalCrossentropy',
  /** The same with targets int32 [batch, ...] or [batch, ..., 1]: a class each, counted from 0. */
  'sparseCategoricalCrossentropy',
  /** The last layer has no sigmoid or softmax: more exact where a network is sure of itself. */
  'binaryCrossentropyFromLogits',
  'categoricalCrossentropyFromLogits',
  'sparseCategoricalCrossentropyFromLogits',
] as const;

export type LossName = (typeof lossNames)[number];

export const isLossName = (name: unknown): name is LossName =>
  lossNames.some((known) => known === name);
