import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { TeletrainError } from '../../../shared/errors.ts';
import { corruptFile } from './corrupt-file.ts';
import type { DatasetOptions } from './dataset.ts';
import type { PublishedFile } from './published-files.ts';

/** A published file's bytes, found and checked. */
export interface VerifiedFile {
  /** The published name, also where the copy found is wrapped in gzip. */
  readonly name: string;
  readonly sha256: string;
  readonly content: Uint8Array;
}

/**
 * Reads a file and checks it against what was published. A copy under a `.gz` name that its authors
 * did not publish so is unwrapped first, and its content is what is checked.
 * @returns undefined when there is no such file.
 * @throws TeletrainError `dataset-corrupt` for any other content, `dataset-unreadable` when the
 *   system refuses; the signal's reason when aborted.
 */
export async function readPublished(
  path: string,
  file: PublishedFile,
  { onProgress, signal }: DatasetOptions,
): Promise<VerifiedFile | undefined> {
  const [name] = file.names;
  const content = new Uint8Array(file.bytes);
  const hash = createHash('sha256');
  let done = 0;
  const collect = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      if (done + chunk.length > file.bytes) {
        throw corruptFile(path, `is longer than the ${file.bytes} bytes that were published`);
      }
      content.set(chunk, done);
      hash.update(chunk);
      done += chunk.length;
      onProgress?.({ what: `Checking ${basename(path)}`, done, total: file.bytes });
    }
  };
  const unwrap =
    path.endsWith('.gz') && !name.endsWith('.gz')
      ? createGunzip({ chunkSize: 1 << 18 })
      : new Transform({ transform: (chunk, _encoding, next) => next(null, chunk) });
  try {
    const source = createReadStream(path, { highWaterMark: 1 << 18 });
    await pipeline(source, unwrap, collect, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT') {
      return undefined;
    }
    if (code.startsWith('Z_')) {
      throw corruptFile(path, `is no whole gzip file (after ${done} bytes of content)`, error);
    }
    if (code.startsWith('E') && !code.startsWith('ERR_')) {
      throw new TeletrainError('dataset-unreadable', `${path} cannot be read (${code}).`, {
        hint: 'Make it a file that you may read, or give another folder by --data-dir or TELETRAIN_DATA.',
        cause: error,
      });
    }
    throw error;
  }
  if (done < file.bytes) {
    throw corruptFile(path, `is truncated: ${done} of ${file.bytes} bytes`);
  }
  const sha256 = hash.digest('hex');
  if (sha256 !== file.sha256) {
    throw corruptFile(path, `is not the published file: its SHA-256 is ${sha256}`);
  }
  return { name, sha256, content };
}
