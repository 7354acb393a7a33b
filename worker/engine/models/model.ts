import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { Gradients } from './gradients.ts';

/** One step's examples on the device. Digits: inputs float32 [batch, 28, 28, 1] of 0 and 1, targets the same tensor. */
export interface Batch {
  readonly inputs: Tensor;
  readonly targets: Tensor;
  readonly size: number;
}

/** Scalars a step gives: the mean over its examples. `loss` is in nats an example. */
export interface StepResult {
  readonly loss: Scalar;
  /** For sentiment `accuracy` (fraction); empty for digits. */
  readonly metrics: Readonly<Record<string, Scalar>>;
}

export interface GradientResult extends StepResult {
  /** By the variable's name, the same shapes or the rows of a table. The caller disposes. */
  readonly gradients: Gradients;
}

/** A network that can be trained, checked, saved and loaded. One owner; not for concurrent use. */
export interface TrainableModel {
  /** Weights by stable name (Keras' names and layouts where Keras has the layer); iteration order is file order. */
  readonly variables: ReadonlyMap<string, Variable>;
  /** Loss and gradients of one batch. Deterministic: nothing random is drawn. The caller disposes what it returns. */
  lossAndGradients(batch: Batch): GradientResult;
  /** Loss and metrics without gradients. */
  evaluate(batch: Batch): StepResult;
  /** What a sigmoid makes the network's probabilities of, float32: for sentiment [batch, 1]. */
  logits(inputs: Tensor): Tensor;
  /** The tfjs `model.json` topology and Keras class names, where the network is a stack of Keras layers. */
  readonly keras?: KerasTopology;
  dispose(): void;
}

/** Enough to write tfjs `model.json` and `load_keras.py` for a sequential stack. */
export interface KerasTopology {
  readonly layers: readonly {
    readonly className: string;
    readonly config: Readonly<Record<string, unknown>>;
    /** Names in `TrainableModel.variables`, in Keras' `get_weights()` order. */
    readonly weights: readonly string[];
  }[];
}

/** A model of pictures that can complete an occluded one. */
export interface PictureModel extends TrainableModel {
  /**
   * Logits float32 [batch, 28, 28, 1] of each pixel being 1, given all pixels before it in raster
   * order. Exact factorisation: a logit never depends on its own or a later pixel.
   */
  logits(pictures: Tensor): Tensor;
  /**
   * Draws rows `firstRow`.. of each picture from the model, keeping the rows above. Ancestral and
   * exact. `random` gives uniform numbers in [0, 1), consumed in raster order, picture by picture
   * within a pixel, whatever the temperature. Returns 0/1 pixels [count * 28 * 28].
   */
  complete(
    pictures: Uint8Array,
    count: number,
    firstRow: number,
    random: () => number,
    options?: CompletionOptions,
  ): Promise<Uint8Array>;
}

export interface CompletionOptions {
  /** Above 0: each pixel's logit is divided by it before the pixel is drawn. Default: 1. */
  readonly temperature?: number | undefined;
  /** Runs after each row, so that a long sampling can be interrupted (throw to stop) or shown. */
  readonly onRow?: ((row: number, pictures: Uint8Array) => void | Promise<void>) | undefined;
}

/**
 * Updates the variables that it was made for by a formula equal to Keras'; its state is saved and
 * loaded exactly. A variable's values may change where they lie: `tf.clone` keeps them, a view does not.
 */
export interface StatefulOptimizer {
  learningRate: number;
  /**
   * Applies one update, with the gradients scaled so that their global norm is at most `clipNorm`, as
   * Keras' `global_clipnorm`; 0, the default, leaves them. Does not dispose the gradients. A variable
   * without a gradient stays as it is, and so does its average.
   */
  apply(gradients: Gradients, clipNorm?: number): void;
  /**
   * Slot tensors by name (`rmsprop/<variable>/velocity`, `adam/<variable>/momentum`,
   * `<optimizer>/<variable>/average`, ...), for reading only and before the next update.
   */
  slots(): ReadonlyMap<string, Tensor>;
  /** Steps applied so far (Keras' `iterations`). */
  readonly iterations: number;
  /** @throws TeletrainError `checkpoint-mismatch` when a slot is missing or of another shape. */
  restore(iterations: number, slots: ReadonlyMap<string, Tensor>): void;
  /**
   * Runs `body` while the variables hold the moving averages of their values, where those are kept,
   * and puts the values back. Nothing may be applied or restored meanwhile.
   */
  withAverages<Result>(body: () => Promise<Result>): Promise<Result>;
  dispose(): void;
}
