import { dirname } from 'node:path';
import { UsageError } from '../../shared/errors.ts';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from './system.ts';

// The worker has durable-file.ts of its own for this: client and worker never import each other,
// and what they share touches no disk.

/**
 * Writes a file that only its owner can read, whole or not at all: beside it first, on disk, then
 * renamed over the old one.
 */
export async function writePrivateFile(
  path: string,
  content: string | Uint8Array,
  system: System = nodeSystem,
): Promise<void> {
  const { disk, random } = system;
  const beside = `${path}.${random.bytes(4).toString('hex')}.new`;
  try {
    await using file = await disk.open(beside, 'wx', 0o600);
    await file.writeFile(content);
    await file.sync();
    await disk.rename(beside, path);
  } catch (error) {
    await disk.rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path), system);
}

/** Makes a rename in the folder last through a power cut, where the system allows it. */
export async function syncFolder(directory: string, { disk }: System = nodeSystem): Promise<void> {
  // Windows opens no folders, and needs no sync of them.
  if (process.platform === 'win32') return;
  await using folder = await disk.open(directory, 'r');
  await folder.sync();
}

interface Schema<Output> {
  safeParse(value: unknown): { success: true; data: Output } | { success: false; error: unknown };
}

/**
 * @returns undefined where there is no such file.
 * @throws UsageError `damaged-file` where it is not what it must be.
 */
export async function readJsonFile<Output>(
  path: string,
  schema: Schema<Output>,
  system: System = nodeSystem,
): Promise<Output | undefined> {
  const text = await readTextFile(path, system);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    'damaged-file',
    `The file ${path} cannot be read.`,
    'Put it back from a copy, or move it away to start without it.',
  );
}

/** @returns undefined where there is no such file. */
export async function readTextFile(
  path: string,
  { disk }: System = nodeSystem,
): Promise<string | undefined> {
  try {
    return await disk.readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
