import type * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../../shared/errors.ts';
import type { Several } from '../../../../shared/tensors/one-or-more.ts';
import type { GradientResult, StepResult } from '../../models/model.ts';
import type { OptimizerDefaults } from './optimizer-settings.ts';

/** A batch as a client gives it: tensors of any shape and type, which stay the session's. */
export interface GivenBatch {
  readonly inputs: Several<tf.Tensor>;
  readonly targets: Several<tf.Tensor> | undefined;
  /** A loss's name for all outputs, or each one's; undefined: the network's own. */
  readonly loss: string | Several<string> | undefined;
}

export interface SampleRequest {
  /** [n, rows, columns, 1] of 0 and 1, or undefined: nothing is given. */
  readonly given: tf.Tensor | undefined;
  /** Rows from the top that are kept. */
  readonly givenRows: number;
  /** Pictures drawn, for each given one. */
  readonly count: number;
  readonly seed: number;
  /** Above 0: logits are divided by it. */
  readonly temperature: number;
}

/** 0/1 pixels, [count, rows, columns, 1]. */
export interface Pictures {
  readonly pixels: Uint8Array;
  readonly shape: number[];
}

/** A network as a client's training commands use it: a recipe's, or one of tfjs-layers. */
export interface Network {
  /** All weights, by the names and in the order in which they are saved. */
  readonly weights: ReadonlyMap<string, tf.Variable>;
  /** Those that training changes by gradients. */
  readonly trainable: ReadonlyMap<string, tf.Variable>;
  /** What a step that says nothing else uses. */
  readonly optimizer: OptimizerDefaults;
  /** How many outputs it predicts. */
  readonly outputs: number;
  /**
   * As `TrainableModel.lossAndGradients`.
   * @throws TeletrainError `bad-batch`, `unknown-loss`.
   */
  lossAndGradients(batch: GivenBatch): GradientResult;
  /** As `lossAndGradients`, without. */
  evaluate(batch: GivenBatch): StepResult;
  /** New tensors, as many as `outputs`; without dropout. @throws TeletrainError `bad-batch`. */
  predict(inputs: Several<tf.Tensor>): tf.Tensor[];
  /** @throws TeletrainError `cannot-sample`, `bad-batch`. */
  sample(request: SampleRequest): Promise<Pictures>;
  dispose(): void;
}

export function badBatch(what: string, hint: string): TeletrainError {
  return new TeletrainError('bad-batch', what, { hint });
}
