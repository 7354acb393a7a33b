import type { RecipeName } from '../../shared/recipes.ts';
import type { LossName } from '../../shared/tensors/losses.ts';
import type { OneOrMore } from '../../shared/tensors/one-or-more.ts';

/** Values of this program: the array's type gives the data type; a Uint8Array holds 0 and 1. */
export interface ArrayValues {
  readonly values: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
}

/**
 * A tensor of tfjs: one of the backend `remote` is on the worker already, and nothing is sent. It may
 * be disposed of as soon as the call has returned.
 */
export interface TensorOnWorker {
  readonly dataId: object;
  readonly shape: readonly number[];
  readonly dtype: string;
}

export type Values = ArrayValues | TensorOnWorker;

/** A new model: a recipe's network, or one of tfjs-layers. */
export type CreateModelOptions =
  | {
      readonly recipe: RecipeName;
      /** Settings that shape the network, as of `teletrain run`; by default the recipe's. */
      readonly settings?: Readonly<Record<string, number | boolean | string>>;
      /** Of the initial weights, in place of the setting. Default: 1. */
      readonly seed?: number;
    }
  | {
      /**
       * A tfjs model.json, parsed or as text, or its topology alone (`model.toJSON(null, false)`). Layers
       * of tfjs-layers; recurrent layers run by the worker's fused operations.
       */
      readonly modelJson: object | string;
      /** Its weights.bin. Default: what the layers' initializers give, which without a seed is chance. */
      readonly weights?: Uint8Array;
    };

/**
 * Examples of a step. Of the digit recipes: inputs [batch, 28, 28, 1] of 0 and 1, and no targets. Of
 * the review recipes: inputs int32 [batch, timesteps], words' indices below the setting `vocabulary`,
 * and targets [batch] of 0 and 1. Of a model.json: what its layers and the loss take, of each of its
 * inputs as many examples, and targets of each of its outputs.
 */
export interface Batch {
  readonly inputs: OneOrMore<Values>;
  readonly targets?: OneOrMore<Values>;
}

/**
 * `loss`, the mean over the batch's examples: of a recipe's model in nats an example; and further means:
 * `accuracy` (a fraction) of reviews, `hiddenLoss` (nats of the lower half given the upper) where
 * digits are evaluated. Of a model with several outputs `loss` is the sum of theirs, and each one's is
 * `<output>_loss`, as in Keras.
 */
export interface StepValues {
  readonly loss: number;
  readonly [metric: string]: number;
}

/** How gradients are applied. What is left out is the recipe's own, else the default named here. */
export interface OptimStepOptions {
  /** With Keras' formula. Default: `adam`. It stays what it was at the model's first step. */
  readonly optimizer?: 'adam' | 'rmsprop';
  /** May be another at every step. Default: 0.001. */
  readonly learningRate?: number;
  /** Gradients are scaled so that their global norm is at most this. Default: 0, which leaves them. */
  readonly clipNorm?: number;
  /**
   * The accumulated gradients are multiplied by this before they are clipped. Default: 1. After n calls
   * of forwardBackward on batches of one size, 1 / n gives the gradient of the mean over all of them.
   */
  readonly gradientScale?: number;
  /**
   * Momentum of the weights' moving average, with which the model is then evaluated, sampled and saved
   * (Keras' `ema_momentum`). Default: 0, none is kept. As at the model's first step.
   */
  readonly emaMomentum?: number;
  /** Adam's. Default: 0.9. As at the model's first step. */
  readonly beta1?: number;
  /** Adam's. Default: 0.999. As at the model's first step. */
  readonly beta2?: number;
  /** RMSprop's decay. Default: 0.9. As at the model's first step. */
  readonly rho?: number;
  /** Default: 1e-7. As at the model's first step. */
  readonly epsilon?: number;
}

export interface SampleOptions {
  /** Pictures whose upper rows are kept, [n, 28, 28, 1] of 0 and 1. Default: none. */
  readonly given?: Values;
  /** Rows of them that are kept. Default: 14, the upper half. */
  readonly givenRows?: number;
  /** Pictures to draw, of each given one. Default: 1. No more than 4096 in all. */
  readonly count?: number;
  /** The same seed draws the same pictures from the same weights. Default: 1. */
  readonly seed?: number;
  /**
   * Each pixel's logit is divided by it before the pixel is drawn, by the same random numbers: below 1
   * pictures are nearer to what is likeliest, above 1 more diverse. Above 0. Default: 1, which draws
   * from the model itself.
   */
  readonly temperature?: number;
}

export interface SampledPictures {
  /** 0/1 pixels, row by row, one picture after the other; those of one given picture side by side. */
  readonly pixels: Uint8Array;
  /** [pictures, 28, 28, 1] */
  readonly shape: readonly number[];
}

/**
 * A model on the worker. Every call returns at once and is done in the order of the calls, exactly once
 * whatever becomes of the connection; what it returns is fulfilled in that order when it is done. So a
 * loop may issue steps ahead and look at a loss now and then. A program that is a window of 16 MiB of
 * batches ahead waits.
 *
 * A call that fails rejects with a TeletrainError whose stack has the line that made it, and leaves the
 * model as it was; calls behind it are done all the same. A rejection that nobody waits for ends the
 * program, as with any promise. Codes: `bad-batch`, `unknown-loss`, `not-finite`, `no-gradients`,
 * `bad-option`, `optimizer-changed`, `cannot-sample`, `checkpoint-mismatch`, `corrupt-safetensors`,
 * `tensor-memory` (over the session's quota), `unknown-tensor`, `unknown-model`, `model-failed` (the
 * engine's words), and those of the session's end.
 */
export interface RemoteModel {
  /**
   * Settles when the model is made: how many numbers its weights are, and what it takes of the session's
   * bytes before its first step. Need not be waited for: calls on a model that could not be made reject
   * with the same error. Codes: `unknown-recipe`, `unknown-setting`, `bad-setting`, `bad-model-json`,
   * `unknown-layer-class`, `model-unsupported`, `tensor-memory`, `too-many-models`.
   */
  readonly created: Promise<{ readonly parameters: number; readonly bytes: number }>;
  /**
   * Computes the loss and adds its gradients to those of earlier calls since the last `optimStep`: they
   * are summed, each call's being those of its batch's mean loss.
   * @param loss of a model from a model.json, one for all outputs or each one's; a recipe's has its own.
   */
  forwardBackward(batch: Batch, loss?: OneOrMore<LossName>): Promise<StepValues>;
  /**
   * Applies the summed gradients and clears them.
   * @returns how many steps the model has had, and the gradients' global norm before clipping.
   */
  optimStep(options?: OptimStepOptions): Promise<{
    readonly step: number;
    readonly gradientNorm: number;
  }>;
  /** Loss and metrics without gradients or dropout, with the averages of the weights if they are kept. */
  evaluate(batch: Batch, loss?: OneOrMore<LossName>): Promise<StepValues>;
  /**
   * What the model gives for inputs, in one batch, without dropout and with the averages of the weights
   * if they are kept. Of a digit recipe the probability of each pixel being 1 given those before it,
   * [batch, 28, 28, 1]; of a review recipe that of a review being positive, [batch, 1].
   * @returns a list of the outputs' values in the model's order, of one where there is one.
   */
  predict(inputs: OneOrMore<Values>): Promise<readonly ArrayValues[]>;
  /** Draws pictures, pixel by pixel; of the digit recipes. */
  sample(options?: SampleOptions): Promise<SampledPictures>;
  /**
   * Weights, optimizer and step as one safetensors file. A model of the same shape that loads it, in any
   * session, goes on with the same bits on the same kind of engine (but for dropout, which is chance).
   * Gradients that were not applied yet are not in it.
   */
  saveState(): Promise<Uint8Array>;
  /**
   * Goes to a saved state, or to the weights of a checkpoint's `model.safetensors`, with which the
   * optimizer begins anew. Gradients that were not applied yet are forgotten.
   * @returns the steps that the state has had.
   */
  loadState(bytes: Uint8Array): Promise<{ readonly step: number }>;
  /** Frees it on the worker, when what was called before is done. */
  dispose(): void;
}
