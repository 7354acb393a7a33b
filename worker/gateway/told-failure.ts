import { TeletrainError } from '../../shared/errors.ts';
import { isSystemError } from './durable-file.ts';

/**
 * What a client is told of something that the worker failed at: a disk's trouble as what a person can
 * mend there, all else as a fault of the worker's.
 * @param what the deed, e.g. "authenticating", or the method's name.
 * @returns a TeletrainError `disk-full`, `disk-failed`, `too-many-files` or `internal`.
 */
export function toldFailure(what: string, cause: unknown): TeletrainError {
  if (isSystemError(cause, 'ENOSPC', 'EDQUOT')) {
    return new TeletrainError('disk-full', "The worker's disk is full.", {
      hint: 'Free some space on the worker, then try again; what arrived there is kept.',
      cause,
    });
  }
  if (isSystemError(cause, 'EIO', 'EROFS', 'EACCES', 'EPERM')) {
    return new TeletrainError('disk-failed', `The worker's disk failed: ${cause.message}.`, {
      hint: "See on the worker's machine that its disk is sound and can be written to, then try again.",
      cause,
    });
  }
  if (isSystemError(cause, 'EMFILE', 'ENFILE')) {
    return new TeletrainError('too-many-files', 'The worker has too many files open.', {
      hint: 'End other programs on the worker\'s machine or raise its limit with "ulimit -n", then try again.',
      cause,
    });
  }
  return new TeletrainError('internal', `The worker failed at ${what}.`, {
    hint: "Look at the worker's output; if it happens again, report it.",
    cause,
  });
}
