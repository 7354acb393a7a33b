import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

// The client has private-file.ts of its own for this: client and worker never import each other,
// and what they share touches no disk.

/**
 * Replaces a file as a whole: after a crash there is the old content or the new, never a part.
 * @param mode permissions of a file that is made anew. Default: readable by its owner only.
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  try {
    {
      await using file = await open(beside, 'w', mode);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes names that were created, renamed or removed in a folder last over a power failure. */
export async function syncFolder(path: string): Promise<void> {
  // Windows opens no folders; there a rename lasts by itself.
  if (process.platform === 'win32') return;
  await using folder = await open(path, 'r');
  await folder.sync();
}

/**
 * Makes a folder that only its owner can enter, and those above it that are missing, one by one:
 * Node's recursive mkdir never ends where a folder can hold none, as /proc.
 * @throws the file system's error.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  if (dirname(path) !== path) await makePrivateFolder(dirname(path));
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!isSystemError(error, 'EEXIST') || !(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
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
