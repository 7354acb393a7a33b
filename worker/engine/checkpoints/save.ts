import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Manifest, manifestSchema } from '../../../shared/run.ts';

/** A file of a checkpoint, whole. */
export interface CheckpointFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SavedCheckpoint {
  readonly id: string;
  /** Of all files, the manifest included. */
  readonly bytes: number;
  /** SHA-256 of manifest.json. */
  readonly manifestSha256: string;
}

export const checkpointId = (step: number): string => `step-${String(step).padStart(9, '0')}`;

/**
 * Writes a checkpoint so that it is there whole or not at all, whatever happens meanwhile: the
 * files go into a folder beside (`.writing-<id>`), reach the disk, then manifest.json, then the
 * folder gets its name. A checkpoint of the same id is replaced (a run that stopped after an
 * epoch's last step and then validated it has a newer state of the same step).
 * @param folder `<run>/checkpoints`.
 */
export async function saveCheckpoint(
  folder: string,
  about: Omit<Manifest, 'format' | 'files'>,
  files: readonly CheckpointFile[],
): Promise<SavedCheckpoint> {
  const manifest = manifestSchema.parse({
    format: 1,
    ...about,
    files: files.map(({ name, bytes }) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
  } satisfies Manifest);
  const manifestFile = {
    name: 'manifest.json',
    bytes: Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`),
  };
  const final = join(folder, about.id);
  const writing = join(folder, `.writing-${about.id}`);
  const replaced = join(folder, `.replaced-${about.id}`);
  await rm(writing, { recursive: true, force: true });
  await mkdir(writing, { recursive: true });
  try {
    await Promise.all(files.map((file) => writeDurably(join(writing, file.name), file)));
    await writeDurably(join(writing, manifestFile.name), manifestFile);
    await syncFolder(writing);
    await rm(replaced, { recursive: true, force: true });
    await rename(final, replaced).catch(ignoreMissing);
    await rename(writing, final);
  } catch (error) {
    await rm(writing, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(folder);
  await syncFolder(dirname(folder));
  await rm(replaced, { recursive: true, force: true });
  return {
    id: about.id,
    bytes: [...files, manifestFile].reduce((total, { bytes }) => total + bytes.length, 0),
    manifestSha256: sha256(manifestFile.bytes),
  };
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

async function writeDurably(path: string, { bytes }: CheckpointFile): Promise<void> {
  await using file = await open(path, 'wx');
  await file.writeFile(bytes);
  await file.sync();
}

/** Makes the names in a folder durable. Windows has no such call and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using folder = await open(path, 'r');
  await folder.sync();
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
