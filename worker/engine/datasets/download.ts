import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatasetOptions } from './dataset.ts';
import type { PublishedFile } from './published-files.ts';

/** A server that sends nothing for this long is given up. */
const stallMilliseconds = 30_000;
/** A partial file this old was left by a process that was killed. */
const abandonedMilliseconds = 60 * 60 * 1000;

/**
 * Fetches a published file into a folder, trying its addresses in order. It is written beside its
 * place and renamed only when size and SHA-256 are the published ones, so the folder never holds a
 * part or another content under the file's name.
 * @returns undefined when done, else why each address failed, as one sentence part.
 * @throws the signal's reason when aborted.
 */
export async function download(
  file: PublishedFile,
  folder: string,
  options: DatasetOptions,
): Promise<string | undefined> {
  try {
    await mkdir(folder, { recursive: true });
    await removeAbandoned(folder, file.names[0]);
  } catch (error) {
    return `${folder} cannot be written (${reasonOf(error)})`;
  }
  const failures: string[] = [];
  for (const url of file.urls) {
    try {
      await downloadFrom(url, file, folder, options);
      return undefined;
    } catch (error) {
      options.signal?.throwIfAborted();
      failures.push(`${new URL(url).host} (${reasonOf(error)})`);
    }
  }
  return failures.join(', ') || 'no address is known';
}

async function downloadFrom(
  url: string,
  file: PublishedFile,
  folder: string,
  { onProgress, signal }: DatasetOptions,
): Promise<void> {
  const [name] = file.names;
  const partial = join(folder, `${name}.${randomBytes(6).toString('hex')}.partial`);
  const stalled = new AbortController();
  const stall = () =>
    setTimeout(() => stalled.abort(new Error('it stopped sending')), stallMilliseconds);
  let timer = stall();
  try {
    const response = await fetch(url, {
      signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`HTTP status ${response.status}`);
    }
    const hash = createHash('sha256');
    let done = 0;
    const handle = await open(partial, 'wx');
    try {
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = stall();
        done += chunk.length;
        if (done > file.bytes) {
          throw new Error(`it sent more than the published ${file.bytes} bytes`);
        }
        hash.update(chunk);
        await handle.writeFile(chunk);
        onProgress?.({ what: `Downloading ${name}`, done, total: file.bytes });
      }
      if (done < file.bytes) {
        throw new Error(`it sent ${done} of ${file.bytes} bytes`);
      }
      if (hash.digest('hex') !== file.sha256) {
        throw new Error('it sent something else than the published file');
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, join(folder, name));
  } finally {
    clearTimeout(timer);
    await rm(partial, { force: true });
  }
}

async function removeAbandoned(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (entry.startsWith(`${name}.`) && entry.endsWith('.partial')) {
      const path = join(folder, entry);
      // Another process may finish and rename it meanwhile.
      const written = await stat(path).catch(() => undefined);
      if (written && Date.now() - written.mtimeMs > abandonedMilliseconds) {
        await rm(path, { force: true });
      }
    }
  }
}

/** fetch says only "fetch failed"; why is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const { cause } = error;
  if (cause instanceof Error) {
    return 'code' in cause ? String(cause.code) : cause.message;
  }
  return error.message;
}
