import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError, UsageError } from '../../../shared/errors.ts';
import { workerFolders } from '../../folders.ts';
import type { DatasetOptions } from './dataset.ts';
import { download } from './download.ts';
import type { PublishedFile } from './published-files.ts';
import { readPublished, type VerifiedFile } from './read-published.ts';

/**
 * Finds a published file: in the data folder, in the cache, or by download into the cache.
 * @throws TeletrainError `dataset-unavailable` when it is nowhere, `dataset-corrupt` when the data
 *   folder has another content under its name (what a user put there is never passed over in
 *   silence), `data-folder-missing`, `dataset-unreadable`; the signal's reason when aborted.
 */
export async function obtainFile(
  file: PublishedFile,
  options: DatasetOptions,
): Promise<VerifiedFile> {
  const given = await readFromDataFolder(file, options);
  if (given) {
    return given;
  }
  const cache = join(options.cacheDir ?? workerFolders().cache, 'datasets');
  const cached = await readFromCache(file, cache, options);
  if (cached) {
    return cached;
  }
  const failure = await download(file, cache, options);
  const downloaded = failure === undefined && (await readFromCache(file, cache, options));
  if (downloaded) {
    return downloaded;
  }
  const [name] = file.names;
  const folder = dataFolder(options);
  const notFound = folder
    ? `${name} is neither in ${folder} nor in the cache`
    : `No data folder was given, ${name} is not in the cache`;
  const hint = `Give the folder that holds ${file.names.join(' or ')} by --data-dir or TELETRAIN_DATA`;
  throw new TeletrainError(
    'dataset-unavailable',
    `${notFound}, and its download failed: ${failure ?? 'it was removed at once'}.`,
    { hint: file.instead === undefined ? `${hint}.` : `${hint}, ${file.instead}.` },
  );
}

/**
 * The file from the data folder alone.
 * @returns undefined where no folder is given, or it has no file of that name.
 * @throws As `obtainFile`.
 */
export async function readFromDataFolder(
  file: PublishedFile,
  options: DatasetOptions,
): Promise<VerifiedFile | undefined> {
  const folder = dataFolder(options);
  if (folder === undefined) {
    return undefined;
  }
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    throw new UsageError(
      'data-folder-missing',
      `There is no data folder ${folder}.`,
      'Give an existing folder by --data-dir or TELETRAIN_DATA, or neither of them.',
    );
  }
  return await readFirst(file, folder, options);
}

function dataFolder(options: DatasetOptions): string | undefined {
  return options.dataDir || process.env.TELETRAIN_DATA || undefined;
}

/** A damaged file in the cache is ours to remove. */
async function readFromCache(
  file: PublishedFile,
  folder: string,
  options: DatasetOptions,
): Promise<VerifiedFile | undefined> {
  try {
    return await readFirst(file, folder, options);
  } catch (error) {
    if (error instanceof TeletrainError && error.code === 'dataset-corrupt') {
      for (const name of file.names) {
        await rm(join(folder, name), { force: true });
      }
      return undefined;
    }
    throw error;
  }
}

async function readFirst(
  file: PublishedFile,
  folder: string,
  options: DatasetOptions,
): Promise<VerifiedFile | undefined> {
  for (const name of file.names) {
    const found = await readPublished(join(folder, name), file, options);
    if (found) {
      return found;
    }
  }
  return undefined;
}
