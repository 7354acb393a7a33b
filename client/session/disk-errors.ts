import { TeletrainError } from '../../shared/errors.ts';
import { hasCode } from './private-file.ts';

/**
 * What a failed write is to the user. An error that no disk made is a fault of the program, and is
 * thrown on.
 * @param what what could not be kept, as the subject of a sentence.
 */
export function diskError(what: string, error: unknown): TeletrainError {
  if (error instanceof TeletrainError) return error;
  if (!(error instanceof Error) || !('syscall' in error)) throw error;
  if (hasCode(error, 'ENOSPC')) {
    return new TeletrainError('disk-full', `${what} cannot be kept: the disk is full.`, {
      hint: 'Free some space and attach to the run again: what the worker still has is not lost.',
      cause: error,
    });
  }
  return new TeletrainError('disk-failed', `${what} cannot be kept: ${error.message}.`, {
    hint: 'See that the folder can be written to, and attach to the run again.',
    cause: error,
  });
}
