import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TeletrainError, UsageError } from '../../shared/errors.ts';
import { type Manifest, manifestSchema } from '../../shared/run.ts';

/**
 * Checks every file of a checkpoint's folder against its manifest.
 * @throws UsageError `not-a-checkpoint`; TeletrainError `checkpoint-corrupt` with the first file
 * that is missing or not as it was.
 */
export async function verifyCheckpoint(directory: string): Promise<Manifest> {
  const manifest = await readManifest(directory);
  for (const file of manifest.files) {
    const path = join(directory, file.name);
    const status = await stat(path).catch(() => undefined);
    if (!status?.isFile()) throw corrupt(`${file.name} is missing from ${directory}`);
    if (status.size !== file.bytes) {
      throw corrupt(`${file.name} has ${status.size} bytes, not the ${file.bytes} of its manifest`);
    }
    if ((await hashOf(path)) !== file.sha256) {
      throw corrupt(`${file.name} has another SHA-256 than in its manifest`);
    }
  }
  return manifest;
}

async function readManifest(directory: string): Promise<Manifest> {
  const text = await readFile(join(directory, 'manifest.json'), 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw new UsageError(
      'not-a-checkpoint',
      `${directory} holds no checkpoint.`,
      'Give the folder with manifest.json, as "teletrain checkpoints" shows it.',
    );
  }
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch {
    throw corrupt(`manifest.json in ${directory} is damaged`);
  }
}

function corrupt(what: string): TeletrainError {
  return new TeletrainError('checkpoint-corrupt', `The checkpoint is not whole: ${what}.`, {
    hint: 'Fetch it again with "teletrain checkpoints get", or use an earlier one.',
  });
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/**
 * Copies a checkpoint to a folder that is new or empty; it appears there whole or not at all.
 * @returns the folder.
 * @throws UsageError `folder-not-empty`.
 */
export async function copyCheckpoint(from: string, to: string): Promise<string> {
  const there = await readdir(to).catch(() => []);
  if (there.length > 0) {
    throw new UsageError(
      'folder-not-empty',
      `${to} is not empty.`,
      'Give a new folder, or empty this one first.',
    );
  }
  const beside = `${to}.partial`;
  await mkdir(dirname(to), { recursive: true });
  try {
    await rm(beside, { recursive: true, force: true });
    await cp(from, beside, { recursive: true });
    await verifyCheckpoint(beside);
    await rename(beside, to);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
  return to;
}
