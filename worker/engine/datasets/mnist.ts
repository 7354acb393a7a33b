import { corruptFile } from './corrupt-file.ts';
import type { DatasetOptions } from './dataset.ts';
import { type GreyDigits, picturePixels } from './digits.ts';
import { readIdx } from './idx.ts';
import { readNpy, unpackNpz } from './npz.ts';
import { obtainFile, readFromDataFolder } from './obtain-file.ts';
import { publishedFiles } from './published-files.ts';
import type { VerifiedFile } from './read-published.ts';

/** MNIST (LeCun, Cortes and Burges, 1998) in its own order: 60,000 and 10,000 grey digits. */
export interface Mnist {
  readonly files: readonly VerifiedFile[];
  readonly train: GreyDigits;
  readonly test: GreyDigits;
}

/**
 * Reads MNIST from Keras' `mnist.npz` or, where the data folder has only those, from the four
 * original IDX files. Both hold the same values in the same order.
 * @throws As `obtainFile`.
 */
export async function loadMnist(options: DatasetOptions): Promise<Mnist> {
  const archive = await readFromDataFolder(publishedFiles.mnist, options);
  const original = archive ? undefined : await readOriginalFiles(options);
  if (original) {
    return mnistFromIdx(original);
  }
  return mnistFromNpz(archive ?? (await obtainFile(publishedFiles.mnist, options)));
}

function mnistFromNpz(file: VerifiedFile): Mnist {
  const members = ['x_train', 'y_train', 'x_test', 'y_test'] as const;
  const unpacked = unpackNpz(file.content, file.name, members);
  const read = (member: (typeof members)[number]) =>
    readNpy(unpacked[member], `${file.name} (${member})`);
  return {
    files: [file],
    train: greyDigits(file.name, read('x_train'), read('y_train')),
    test: greyDigits(file.name, read('x_test'), read('y_test')),
  };
}

interface OriginalFiles {
  readonly trainImages: VerifiedFile;
  readonly trainLabels: VerifiedFile;
  readonly testImages: VerifiedFile;
  readonly testLabels: VerifiedFile;
}

async function readOriginalFiles(options: DatasetOptions): Promise<OriginalFiles | undefined> {
  const trainImages = await readFromDataFolder(publishedFiles.mnistTrainImages, options);
  const trainLabels = await readFromDataFolder(publishedFiles.mnistTrainLabels, options);
  const testImages = await readFromDataFolder(publishedFiles.mnistTestImages, options);
  const testLabels = await readFromDataFolder(publishedFiles.mnistTestLabels, options);
  return trainImages && trainLabels && testImages && testLabels
    ? { trainImages, trainLabels, testImages, testLabels }
    : undefined;
}

function mnistFromIdx(files: OriginalFiles): Mnist {
  const half = (images: VerifiedFile, labels: VerifiedFile) =>
    greyDigits(
      images.name,
      readIdx(images.content, images.name, 3),
      readIdx(labels.content, labels.name, 1),
    );
  return {
    files: Object.values(files),
    train: half(files.trainImages, files.trainLabels),
    test: half(files.testImages, files.testLabels),
  };
}

interface ArrayOfBytes {
  readonly shape: readonly number[];
  readonly values: Uint8Array | Int32Array;
}

function greyDigits(file: string, images: ArrayOfBytes, labels: ArrayOfBytes): GreyDigits {
  const count = labels.shape[0] ?? 0;
  if (
    !(images.values instanceof Uint8Array && labels.values instanceof Uint8Array) ||
    images.shape.join() !== [count, 28, 28].join() ||
    images.values.length !== count * picturePixels
  ) {
    throw corruptFile(
      file,
      `holds ${images.shape.join(' x ')} values and ${count} labels, not digits of 28 x 28 bytes`,
    );
  }
  return { pictures: images.values, labels: labels.values };
}
