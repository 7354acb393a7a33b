import { dirname } from 'node:path';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';

// The client has private-file.ts of its own for this: client and worker never import each other,
// and what they share touches no disk.

/**
 * Replaces a file as a whole: after a crash there is the old content or the new, never a part. Only
 * its owner can read it.
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  system: System = nodeSystem,
): Promise<void> {
  const { disk, processes } = system;
  const beside = `${path}.${processes.own}.new`;
  try {
    {
      await using file = await disk.open(beside, 'w', 0o600);
      await file.writeFile(content);
      await file.sync();
    }
    await disk.rename(beside, path);
  } catch (error) {
    await disk.rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path), system);
}

/** Makes names that were created, renamed or removed in a folder last over a power failure. */
export async function syncFolder(path: string, { disk }: System = nodeSystem): Promise<void> {
  // Windows opens no folders; there a rename lasts by itself.
  if (process.platform === 'win32') return;
  await using folder = await disk.open(path, 'r');
  await folder.sync();
}

/**
 * Makes a folder that only its owner can enter, and those above it that are missing, one by one:
 * Node's recursive mkdir never ends where a folder can hold none, as /proc.
 * @throws the file system's error.
 */
export async function makePrivateFolder(path: string, system: System = nodeSystem): Promise<void> {
  if (await isFolder(path, system)) return;
  if (dirname(path) !== path) await makePrivateFolder(dirname(path), system);
  try {
    await system.disk.mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!isSystemError(error, 'EEXIST') || !(await isFolder(path, system))) throw error;
  }
}

async function isFolder(path: string, { disk }: System): Promise<boolean> {
  try {
    return (await disk.stat(path)).isDirectory();
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Whether an error is the file system's, with one of these codes (`ENOENT`, `ENOSPC`, ...). */
export function isSystemError(
  error: unknown,
  ...codes: readonly string[]
): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
