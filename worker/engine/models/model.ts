import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';

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
  /** By the variable's name, the same shapes. The caller disposes. */
  readonly gradients: Readonly<Record<string, Tensor>>;
}

/** A network that can be trained, checked, saved and loaded. One owner; not for concurrent use. */
export interface TrainableModel {
  /** Weights by stable name (Keras' names and layouts where Keras has the layer); iteration order is file order. */
  readonly variables: ReadonlyMap<string, Variable>;
  /** Loss and gradients of one batch. Deterministic: nothing random is drawn. The caller disposes what it returns. */
  lossAndGradients(batch: Batch): GradientResult;
  /** Loss and metrics without gradients. */
  evaluate(batch: Batch): StepResult;
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
   * within a pixel. Returns 0/1 pixels [count * 28 * 28].
   * `onRow` runs after each row, so that a long sampling can be interrupted (throw to stop) or shown.
   */
  complete(
    pictures: Uint8Array,
    count: number,
    firstRow: number,
    random: () => number,
    onRow?: (row: number, pictures: Uint8Array) => void | Promise<void>,
  ): Promise<Uint8Array>;
}

/** Updates variables in place by a formula equal to Keras'; its state is saved and loaded exactly. */
export interface StatefulOptimizer {
  learningRate: number;
  /** Applies one update. Does not dispose the gradients. */
  apply(
    variables: ReadonlyMap<string, Variable>,
    gradients: Readonly<Record<string, Tensor>>,
  ): void;
  /** Slot tensors by name (`rmsprop/<variable>/velocity`, `adam/<variable>/momentum`, ...), for reading only. */
  slots(): ReadonlyMap<string, Tensor>;
  /** Steps applied so far (Keras' `iterations`). */
  readonly iterations: number;
  /** @throws TeletrainError `checkpoint-mismatch` when a slot is missing or of another shape. */
  restore(iterations: number, slots: ReadonlyMap<string, Tensor>): void;
  dispose(): void;
}
