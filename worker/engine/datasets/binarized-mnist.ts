import { readAmat } from './amat.ts';
import { corruptFile } from './corrupt-file.ts';
import type { DatasetOptions } from './dataset.ts';
import { picturePixels } from './digits.ts';
import { obtainFile } from './obtain-file.ts';
import { publishedFiles } from './published-files.ts';

/** The published splits and their sizes. */
const splits = {
  train: { file: publishedFiles.binarizedMnistTrain, count: 50_000 },
  validation: { file: publishedFiles.binarizedMnistValidation, count: 10_000 },
  test: { file: publishedFiles.binarizedMnistTest, count: 10_000 },
} as const;

export interface BinaryPictures {
  /** 0/1 pixels, [count, 28, 28]. */
  readonly pictures: Uint8Array;
  readonly count: number;
  readonly source: { readonly file: string; readonly sha256: string };
}

/**
 * One split of the fixed binary MNIST of Salakhutdinov and Murray (ICML 2008), in Larochelle's
 * files (Larochelle and Murray, AISTATS 2011). It has no labels.
 * @throws As `obtainFile`.
 */
export async function loadBinarizedMnist(
  name: keyof typeof splits,
  options: DatasetOptions,
): Promise<BinaryPictures> {
  const { file, count } = splits[name];
  const found = await obtainFile(file, options);
  const pictures = readAmat(found.content, found.name, picturePixels);
  if (pictures.length !== count * picturePixels) {
    throw corruptFile(
      found.name,
      `holds ${pictures.length / picturePixels} pictures, not ${count}`,
    );
  }
  return { pictures, count, source: { file: found.name, sha256: found.sha256 } };
}
