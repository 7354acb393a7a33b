import { UsageError } from '../../../shared/errors.ts';
import type { AnySettings, DigitSettings, SentimentSettings } from '../../../shared/recipes.ts';
import { binarize, drawnOnce } from './binarize.ts';
import { loadBinarizedMnist } from './binarized-mnist.ts';
import type { Dataset, DatasetOptions, Split } from './dataset.ts';
import { type GreyDigits, picturePixels, pictureShape } from './digits.ts';
import { evenlySpaced } from './evenly-spaced.ts';
import { loadReviews, reviewSplit } from './imdb.ts';
import { loadMnist } from './mnist.ts';
import { loadMnist10k } from './mnist-10k.ts';

/**
 * Loads the dataset that a run's settings name, checked and split. `trainExamples`,
 * `validationExamples` and `testExamples` take so many of a split, the first ones where it is mixed
 * and evenly spaced ones where it is sorted (`binarized-mnist`); 0 takes all.
 *
 * - `imdb`: 20,000 / 5,000 / 25,000 reviews; validation is the last fifth of the training half in
 *   Keras' order (`validation_split=0.2`). int32 [timesteps].
 * - `binarized-mnist`: 50,000 / 10,000 / 10,000 as published, without labels. The published files
 *   are sorted by digit, so the first hundred test pictures are zeros.
 * - `mnist`: 50,000 / 10,000 / 10,000; validation is the last 10,000 training digits.
 * - `mnist-10k`: 8,000 / 1,000 / 1,000.
 *
 * Digits are 0/1 bytes [28, 28, 1].
 * @throws TeletrainError `dataset-unavailable`, `dataset-corrupt`, `dataset-unreadable`,
 *   `data-folder-missing`; UsageError `bad-setting` when a split has fewer examples than asked; the
 *   signal's reason when aborted.
 */
export async function loadDataset(
  settings: AnySettings,
  options: DatasetOptions = {},
): Promise<Dataset> {
  switch (settings.dataset) {
    case 'imdb':
      return await imdb(settings, options);
    case 'binarized-mnist':
      return await binarizedMnist(settings, options);
    case 'mnist':
      return await mnist(settings, options);
    case 'mnist-10k':
      return await mnist10k(settings, options);
  }
}

async function imdb(settings: SentimentSettings, options: DatasetOptions): Promise<Dataset> {
  const { file, train, test } = await loadReviews(options);
  const total = train.words.length;
  const trainCount = Math.floor(total * 0.8);
  const split = (reviews: typeof train, from: number, to: number, limit: Limit) => {
    const count = examplesTaken(settings, limit, to - from);
    return reviewSplit(reviews, { from, to: from + count }, settings);
  };
  return {
    name: 'imdb',
    sources: [{ file: file.name, sha256: file.sha256 }],
    train: split(train, 0, trainCount, 'trainExamples'),
    validation: split(train, trainCount, total, 'validationExamples'),
    test: split(test, 0, test.words.length, 'testExamples'),
  };
}

async function binarizedMnist(settings: DigitSettings, options: DatasetOptions): Promise<Dataset> {
  const sources: Dataset['sources'][number][] = [];
  const split = async (name: Parameters<typeof loadBinarizedMnist>[0], limit: Limit) => {
    const { pictures, count, source } = await loadBinarizedMnist(name, options);
    sources.push(source);
    return pictureSplit(takeEvenly(pictures, examplesTaken(settings, limit, count), count));
  };
  return {
    name: 'binarized-mnist',
    train: await split('train', 'trainExamples'),
    validation: await split('validation', 'validationExamples'),
    test: await split('test', 'testExamples'),
    sources,
    binarization: 'fixed',
  };
}

async function mnist(settings: DigitSettings, options: DatasetOptions): Promise<Dataset> {
  const { files, train, test } = await loadMnist(options);
  options.signal?.throwIfAborted();
  return {
    name: 'mnist',
    sources: files.map(({ name, sha256 }) => ({ file: name, sha256 })),
    binarization: drawnOnce,
    train: binarySplit('mnist/train', settings, 'trainExamples', train, 0, 50_000),
    validation: binarySplit(
      'mnist/validation',
      settings,
      'validationExamples',
      train,
      50_000,
      60_000,
    ),
    test: binarySplit('mnist/test', settings, 'testExamples', test, 0, 10_000),
  };
}

async function mnist10k(settings: DigitSettings, options: DatasetOptions): Promise<Dataset> {
  const { sources, digits } = await loadMnist10k(options);
  return {
    name: 'mnist-10k',
    sources,
    binarization: drawnOnce,
    train: binarySplit('mnist-10k/train', settings, 'trainExamples', digits, 0, 8_000),
    validation: binarySplit(
      'mnist-10k/validation',
      settings,
      'validationExamples',
      digits,
      8_000,
      9_000,
    ),
    test: binarySplit('mnist-10k/test', settings, 'testExamples', digits, 9_000, 10_000),
  };
}

type Limit = 'trainExamples' | 'validationExamples' | 'testExamples';

/** @throws UsageError `bad-setting`: fewer than asked would be another run than the one asked for. */
function examplesTaken(settings: AnySettings, limit: Limit, available: number): number {
  const asked = settings[limit];
  if (asked > available) {
    throw new UsageError(
      'bad-setting',
      `Setting "${limit}" is ${asked}, but ${settings.dataset} has ${available} such examples.`,
      `Set ${limit} to at most ${available}, or to 0 for all.`,
    );
  }
  return asked === 0 ? available : asked;
}

function binarySplit(
  stream: string,
  settings: DigitSettings,
  limit: Limit,
  digits: GreyDigits,
  from: number,
  to: number,
): Split {
  const end = from + examplesTaken(settings, limit, to - from);
  const grey = digits.pictures.subarray(from * picturePixels, end * picturePixels);
  return {
    ...pictureSplit(binarize(grey, stream)),
    labels: digits.labels.slice(from, end),
  };
}

function pictureSplit(pictures: Uint8Array): Split {
  return {
    count: pictures.length / picturePixels,
    inputShape: pictureShape,
    inputs: pictures,
  };
}

function takeEvenly(pictures: Uint8Array, taken: number, available: number): Uint8Array {
  if (taken === available) return pictures;
  // A copy of a part lets the whole go.
  const part = new Uint8Array(taken * picturePixels);
  evenlySpaced(taken, available).forEach((from, to) => {
    const picture = pictures.subarray(from * picturePixels, (from + 1) * picturePixels);
    part.set(picture, to * picturePixels);
  });
  return part;
}
