/**
 * Run as a process of its own: removes the caches named in its arguments (`engine`, `datasets`) and
 * prints a `CacheReport` of all, as one JSON document on standard output.
 */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheReport } from '../../shared/cache-report.ts';
import { workerFolders } from '../folders.ts';
import { folderBytes } from './folder-bytes.ts';

const cacheNames = ['engine', 'datasets'];

const { cache } = workerFolders();
const caches: CacheReport['caches'] = [];
for (const name of cacheNames) {
  const folder = join(cache, name);
  const before = await folderBytes(folder);
  if (process.argv.includes(name)) await removeFolder(folder);
  const bytes = await folderBytes(folder);
  caches.push({ name, folder, bytes, freedBytes: Math.max(0, before - bytes) });
}
process.stdout.write(`${JSON.stringify({ caches } satisfies CacheReport)}\n`);

/** Renamed first, so that nobody finds half of it; a running engine keeps the files it has open. */
async function removeFolder(folder: string): Promise<void> {
  const aside = `${folder}.removed-${process.pid}`;
  try {
    await rename(folder, aside);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}
