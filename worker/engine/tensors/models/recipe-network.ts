import * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../../shared/errors.ts';
import { limits } from '../../../../shared/limits.ts';
import { type AnySettings, completeSettings, recipeNamed } from '../../../../shared/recipes.ts';
import type { Options } from '../../../../shared/tensors/model-commands.ts';
import type { Several } from '../../../../shared/tensors/one-or-more.ts';
import { createModel, weightSpecifications } from '../../models/create.ts';
import { digitSize } from '../../models/digit-size.ts';
import { isTableGradient } from '../../models/gradients.ts';
import type {
  Batch,
  GradientResult,
  PictureModel,
  StepResult,
  TrainableModel,
} from '../../models/model.ts';
import { createRandom } from '../../random.ts';
import { pictureLosses } from '../../training/picture-losses.ts';
import { isPictureModel } from '../../training/samples.ts';
import { describeTensor } from '../tensor-bytes.ts';
import { inOrder } from './in-order.ts';
import {
  badBatch,
  type GivenBatch,
  type Network,
  type Pictures,
  type SampleRequest,
} from './network.ts';
import type { OptimizerDefaults } from './optimizer-settings.ts';

const { rows, columns } = digitSize;
const pictureShape = `[batch, ${rows}, ${columns}, 1]`;

/** What a recipe's weights will take, in bytes, before there are any. @throws as `RecipeNetwork`. */
export function recipeBytes(recipe: string, given: Options): number {
  const { name } = recipeNamed(recipe);
  return weightSpecifications(name, completeSettings(name, given)).reduce(
    (sum, [, shape]) => sum + 4 * shape.reduce((product, length) => product * length, 1),
    0,
  );
}

/** A recipe's network with fresh weights, with its loss and, where nothing else is said, its optimizer. */
export class RecipeNetwork implements Network {
  readonly #model: TrainableModel;
  readonly #recipe: string;
  readonly #settings: AnySettings;

  /** @throws TeletrainError `unknown-recipe`, `unknown-setting`, `bad-setting`. */
  constructor(recipe: string, given: Options) {
    const { name } = recipeNamed(recipe);
    const settings = completeSettings(name, given);
    this.#model = createModel(name, settings);
    this.#recipe = name;
    this.#settings = settings;
  }

  get weights(): ReadonlyMap<string, tf.Variable> {
    return this.#model.variables;
  }

  get trainable(): ReadonlyMap<string, tf.Variable> {
    return this.#model.variables;
  }

  get optimizer(): OptimizerDefaults {
    const { optimizer, learningRate, clipNorm, emaMomentum } = this.#settings;
    return { optimizer, learningRate, clipNorm, emaMomentum };
  }

  readonly outputs = 1;

  lossAndGradients(given: GivenBatch): GradientResult {
    return tf.tidy(() => {
      const { loss, metrics, gradients } = this.#model.lossAndGradients(this.#batch(given));
      // What a scope finds in plain objects it lets live.
      const kept = Object.entries(gradients).map(([name, gradient]) => [
        name,
        isTableGradient(gradient) ? { rows: gradient.rows, values: gradient.values } : gradient,
      ]);
      return { loss, metrics: { ...metrics }, gradients: Object.fromEntries(kept) };
    });
  }

  evaluate(given: GivenBatch): StepResult {
    const model = this.#model;
    return tf.tidy(() => {
      const batch = this.#batch(given);
      const result = isPictureModel(model) ? pictureLosses(model, batch) : model.evaluate(batch);
      return { loss: result.loss, metrics: { ...result.metrics } };
    });
  }

  /** Probabilities: of each pixel being 1 given those before it, and of a review being positive. */
  predict(given: Several<tf.Tensor>): tf.Tensor[] {
    const model = this.#model;
    return tf.tidy(() => {
      const inputs = only(given, 'inputs');
      const checked = isPictureModel(model)
        ? tf.cast(pictures(inputs), 'float32')
        : reviews(inputs, this.#vocabulary());
      return [tf.sigmoid(model.logits(checked))];
    });
  }

  async sample({ given, givenRows, count, seed, temperature }: SampleRequest): Promise<Pictures> {
    const model = this.#pictureModel();
    const examples = given === undefined ? 1 : pictures(given).shape[0];
    const total = examples * count;
    if (total > limits.sampledPictures) {
      throw badBatch(
        `${total} pictures are more than the ${limits.sampledPictures} of one sample.`,
        'Draw them by several calls, each with a seed of its own.',
      );
    }
    const pixels = new Uint8Array(total * rows * columns);
    if (given !== undefined) repeatPictures(given.dataSync(), count, pixels);
    const kept = given === undefined ? 0 : Math.min(givenRows, rows);
    const random = createRandom(seed, 'sample');
    const draw = () => random.next();
    const drawn = await model.complete(pixels, total, kept, draw, { temperature });
    return { pixels: drawn, shape: [total, rows, columns, 1] };
  }

  dispose(): void {
    this.#model.dispose();
  }

  #pictureModel(): PictureModel {
    if (isPictureModel(this.#model)) return this.#model;
    throw new TeletrainError('cannot-sample', `The recipe ${this.#recipe} draws no pictures.`, {
      hint: 'Sample from a model of a digit recipe.',
    });
  }

  /** The batch as the recipe's datasets give it. What it makes is the caller's scope's. */
  #batch({ inputs, targets, loss }: GivenBatch): Batch {
    if (loss !== undefined) {
      throw new TeletrainError(
        'unknown-loss',
        `The recipe ${this.#recipe} has a loss of its own.`,
        {
          hint: 'Give no loss with a model of a recipe.',
        },
      );
    }
    const given = only(inputs, 'inputs');
    const wanted = targets && only(targets, 'targets');
    return isPictureModel(this.#model)
      ? pictureBatch(given, wanted)
      : reviewBatch(given, wanted, this.#vocabulary());
  }

  #vocabulary(): number {
    return 'vocabulary' in this.#settings ? this.#settings.vocabulary : 0;
  }
}

/** A recipe's network has one input, and one kind of targets. @throws TeletrainError `bad-batch`. */
function only(given: Several<tf.Tensor>, what: string): tf.Tensor {
  const [tensor] = inOrder(given, [what], what);
  // As many as names.
  return tensor as tf.Tensor;
}

/** @throws TeletrainError `bad-batch` unless they are digits. */
function pictures(given: tf.Tensor): tf.Tensor4D {
  const [count = 0, ...size] = given.shape;
  if (count === 0 || size.join() !== `${rows},${columns},1` || !isNumber(given)) {
    throw badBatch(
      `Pictures are ${pictureShape} of 0 and 1, not ${describeTensor(given)}.`,
      `Reshape them to ${pictureShape}.`,
    );
  }
  // Its shape was looked at.
  return given as tf.Tensor4D;
}

function pictureBatch(inputs: tf.Tensor, targets: tf.Tensor | undefined): Batch {
  if (targets !== undefined) {
    throw badBatch(
      'A model of pictures is trained to give its inputs and takes no targets.',
      'Leave the targets out.',
    );
  }
  const given = tf.cast(pictures(inputs), 'float32');
  return { inputs: given, targets: given, size: given.shape[0] };
}

/** @throws TeletrainError `bad-batch` unless they are indices of words. */
function reviews(inputs: tf.Tensor, vocabulary: number): tf.Tensor {
  const [size = 0, timesteps = 0] = inputs.shape;
  if (inputs.rank !== 2 || inputs.dtype !== 'int32' || size === 0 || timesteps === 0) {
    throw badBatch(
      `Reviews are int32 [batch, timesteps], not ${describeTensor(inputs)}.`,
      'Give the indices of their words.',
    );
  }
  const [smallest = 0, largest = 0] = [tf.min(inputs), tf.max(inputs)].map(
    (bound) => bound.dataSync()[0],
  );
  if (smallest < 0 || largest >= vocabulary) {
    throw badBatch(
      `The indices of words are 0 to ${vocabulary - 1}; these are ${smallest} to ${largest}.`,
      'Count indices from 0, or make the model with a larger vocabulary.',
    );
  }
  return inputs;
}

function reviewBatch(inputs: tf.Tensor, targets: tf.Tensor | undefined, vocabulary: number): Batch {
  const [size = 0] = reviews(inputs, vocabulary).shape;
  if (
    targets === undefined ||
    !isNumber(targets) ||
    !['', '1'].includes(String(targets.shape.slice(1))) ||
    targets.shape[0] !== size
  ) {
    const found = targets ? describeTensor(targets) : 'missing';
    throw badBatch(
      `The targets of ${size} reviews are [${size}] of 0 and 1; they are ${found}.`,
      'Give one target for each review.',
    );
  }
  return { inputs, targets: tf.cast(targets, 'float32'), size };
}

const isNumber = ({ dtype }: tf.Tensor) => ['float32', 'int32', 'bool'].includes(dtype);

/** @param into each given picture `count` times, side by side */
function repeatPictures(given: ArrayLike<number>, count: number, into: Uint8Array): void {
  const pixels = rows * columns;
  for (let at = 0; at < into.length; at++) {
    const picture = Math.floor(at / (pixels * count));
    into[at] = (given[picture * pixels + (at % pixels)] ?? 0) > 0.5 ? 1 : 0;
  }
}
