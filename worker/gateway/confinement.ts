import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import type { System } from '../../shared/system.ts';
import { isSystemError } from './durable-file.ts';

/**
 * Makes sure that a path leads through folders and not through links, as far as it is there: names
 * that clients choose lead nowhere by themselves (the schemas see to it), but a link in a run's folder
 * would. What lies above `folder` is the user's own matter: a home may be anywhere.
 * @param folder the folder that must not be left.
 * @param names of the folders below it.
 * @throws TeletrainError `run-unreadable`.
 */
export async function requireNoLink(
  { disk }: System,
  folder: string,
  ...names: readonly string[]
): Promise<void> {
  let path = folder;
  for (const name of ['', ...names]) {
    path = join(path, name);
    try {
      if ((await disk.lstat(path)).isDirectory()) continue;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return;
      throw error;
    }
    throw new TeletrainError('run-unreadable', `${path} is no folder, or a link to one.`, {
      hint: 'Move it away, or put the folder itself there.',
    });
  }
}
