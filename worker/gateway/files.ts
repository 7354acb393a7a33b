import { constants } from 'node:fs';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { requireNoLink } from './confinement.ts';
import { isSystemError } from './durable-file.ts';
import type { RunDirectory } from './run-directory.ts';

/**
 * A part of a checkpoint's file. Ids and names were checked by the schemas, so no path leaves the
 * run's folder; links are refused as well, since whoever can make one there chose its target.
 * @returns the file's size and up to `length` bytes from `offset`; fewer only at its end.
 * @throws TeletrainError `no-such-checkpoint`, `no-such-file`, `run-unreadable`.
 */
export async function readCheckpointFile(
  directory: RunDirectory,
  checkpoint: string,
  name: string,
  offset: number,
  length: number,
): Promise<{ size: number; bytes: Uint8Array }> {
  const { disk } = directory.system;
  const folder = directory.checkpointPath(checkpoint);
  await requireNoLink(directory.system, directory.path, 'checkpoints');
  const status = await disk.lstat(folder).catch(() => undefined);
  if (!status?.isDirectory()) throw noSuchCheckpoint(checkpoint);
  try {
    await using file = await disk.open(
      join(folder, name),
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0),
    );
    const { size } = await file.stat().then((found) => {
      if (!found.isFile()) throw noSuchFile(checkpoint, name);
      return found;
    });
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return { size, bytes: bytes.subarray(0, done) };
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ELOOP', 'EMLINK', 'EISDIR'))
      throw noSuchFile(checkpoint, name);
    throw error;
  }
}

function noSuchCheckpoint(id: string): TeletrainError {
  return new TeletrainError(
    'no-such-checkpoint',
    `This worker has no checkpoint ${id} of the run (any more).`,
    {
      hint: 'Older checkpoints are rotated away; see "teletrain checkpoints <run>".',
    },
  );
}

function noSuchFile(checkpoint: string, name: string): TeletrainError {
  return new TeletrainError('no-such-file', `Checkpoint ${checkpoint} has no file "${name}".`, {
    hint: 'Its manifest.json names its files.',
  });
}
