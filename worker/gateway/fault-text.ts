import { diskTrouble } from '../../shared/system-errors.ts';

/**
 * What the worker's output says of something that it failed at: a disk's trouble as the sentence that
 * whoever runs the worker can act on, a fault of ours with its stack.
 * @param what the deed, e.g. "keeping an answer".
 */
export function faultText(what: string, error: unknown): string {
  const trouble = diskTrouble(error);
  if (trouble) return `${what}: ${trouble.message} ${trouble.hint}`;
  return `${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
