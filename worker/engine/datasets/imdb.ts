import { corruptFile } from './corrupt-file.ts';
import type { DatasetOptions, Split } from './dataset.ts';
import { MersenneTwister } from './mersenne-twister.ts';
import { readNpy, readNpyLists, unpackNpz } from './npz.ts';
import { obtainFile } from './obtain-file.ts';
import { padSequences } from './pad-sequences.ts';
import { publishedFiles } from './published-files.ts';
import type { VerifiedFile } from './read-published.ts';

/** Reviews as word ranks (1 is the most frequent word), in the order of Keras' `load_data`. */
export interface Reviews {
  readonly words: readonly Int32Array[];
  /** 1 positive, 0 negative. */
  readonly labels: Uint8Array;
}

export interface ImdbReviews {
  readonly file: VerifiedFile;
  readonly train: Reviews;
  readonly test: Reviews;
}

/** Keras' codes: 0 pads, 1 starts a review, 2 stands for words left out, a word of rank r is r + 3. */
const startMark = 1;
const outOfVocabularyMark = 2;
const indexFrom = 3;
/** Keras' seed; the training half is shuffled first, the test half by the same stream. */
const shuffleSeed = 113;

/**
 * The film reviews of Maas et al. (ACL 2011) as Keras publishes and shuffles them: 25,000 for
 * training and 25,000 for test.
 * @throws As `obtainFile`.
 */
export async function loadReviews(options: DatasetOptions): Promise<ImdbReviews> {
  const file = await obtainFile(publishedFiles.imdb, options);
  options.signal?.throwIfAborted();
  const twister = new MersenneTwister(shuffleSeed);
  const half = (name: 'train' | 'test') => {
    const members = [`x_${name}`, `y_${name}`] as const;
    const unpacked = unpackNpz(file.content, file.name, members);
    const words = readNpyLists(unpacked[`x_${name}`], `${file.name} (x_${name})`).lists;
    const labels = readNpy(unpacked[`y_${name}`], `${file.name} (y_${name})`).values;
    if (labels.length !== words.length) {
      throw corruptFile(file.name, `has ${labels.length} labels for ${words.length} reviews`);
    }
    return shuffled(words, labels, twister);
  };
  const train = half('train');
  options.signal?.throwIfAborted();
  return { file, train, test: half('test') };
}

function shuffled(
  words: readonly Int32Array[],
  labels: ArrayLike<number>,
  twister: MersenneTwister,
): Reviews {
  const order = Uint32Array.from({ length: words.length }, (_, index) => index);
  twister.shuffle(order);
  return {
    words: Array.from(order, (from) => words[from] ?? new Int32Array()),
    labels: Uint8Array.from(order, (from) => labels[from] ?? 0),
  };
}

/**
 * One review as Keras' `load_data(num_words=vocabulary)` gives it: the start mark, then each word's
 * code, or the out-of-vocabulary mark for codes of `vocabulary` and above. As in Keras the limit
 * holds for codes, so that 10,000 keeps the ranks 1 to 9,996. (Keras without `num_words` takes the
 * largest code as the limit, 88,587, and so loses one word.)
 */
export function encodeReview(ranks: Int32Array, vocabulary: number): Int32Array {
  const codes = new Int32Array(ranks.length + 1);
  codes[0] = startMark < vocabulary ? startMark : outOfVocabularyMark;
  for (let at = 0; at < ranks.length; at += 1) {
    const code = (ranks[at] ?? 0) + indexFrom;
    codes[at + 1] = code < vocabulary ? code : outOfVocabularyMark;
  }
  return codes;
}

/** Reviews `from` to `to` as rows of codes, int32 [to - from, timesteps], with their labels. */
export function reviewSplit(
  reviews: Reviews,
  range: { readonly from: number; readonly to: number },
  { vocabulary, timesteps }: { readonly vocabulary: number; readonly timesteps: number },
): Split {
  const { from, to } = range;
  const sequences = reviews.words.slice(from, to).map((words) => encodeReview(words, vocabulary));
  return {
    count: to - from,
    inputShape: [timesteps],
    inputs: padSequences(sequences, timesteps),
    labels: reviews.labels.slice(from, to),
  };
}
