import { CommanderError } from 'commander';
import { exitCodes, TeletrainError } from '../../shared/errors.ts';
import type { Output } from './output.ts';

export interface ErrorDescription {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly exitCode: number;
  /** Of a programming error only. */
  readonly stack?: string;
  /** Nothing is to be printed: help and version have been. */
  readonly silent?: boolean;
}

/** Tells what an error means to the user: what happened, what to do, and the exit code. */
export function describeError(error: unknown): ErrorDescription {
  if (error instanceof TeletrainError) {
    return { ...error.toJSON(), exitCode: error.exitCode };
  }
  if (error instanceof CommanderError) return describeUsage(error);
  const system = error instanceof Error ? describeSystemError(error) : undefined;
  if (system) return system;
  const failure = error instanceof Error ? error : new Error(String(error));
  return {
    code: 'internal-error',
    message: failure.message,
    hint: 'This is a fault in teletrain: please report it with the lines above and what you did.',
    exitCode: exitCodes.failed,
    stack: failure.stack ?? failure.message,
  };
}

/**
 * Two lines on standard error; with `--json` one object `{"error": …}` on standard output, which
 * then is all or the last line of it.
 */
export function printError(error: ErrorDescription, output: Output): void {
  if (error.silent) return;
  if (output.json) {
    const { code, message, hint, stack } = error;
    output.record({ error: { code, message, hint, ...(stack ? { stack } : {}) } });
    return;
  }
  output.notice(error.stack ?? error.message);
  output.notice(error.hint);
}

/** What the command line's parser says, as a sentence and a hint. */
function describeUsage(error: CommanderError): ErrorDescription {
  if (error.exitCode === 0) {
    return { code: error.code, message: '', hint: '', exitCode: exitCodes.done, silent: true };
  }
  const text = error.message.replace(/^error: /, '');
  const [, sentence = text, suggestion] =
    /^(.*?)\s*(?:\(Did you mean (.*?)\?\))?$/s.exec(text) ?? [];
  const message = sentence.trim().replaceAll("'", '"').replace(/\.$/, '');
  return {
    code: 'usage',
    message: `${message.charAt(0).toUpperCase()}${message.slice(1)}.`,
    hint: suggestion
      ? `Did you mean ${suggestion}?`
      : 'Add --help to the command to see what it takes.',
    exitCode: exitCodes.usage,
  };
}

const systemErrors: Readonly<Record<string, readonly [code: string, what: string, hint: string]>> =
  {
    ENOSPC: [
      'disk-full',
      'The disk is full',
      'Free some space; "teletrain clean" shows what teletrain can give back.',
    ],
    EACCES: [
      'not-permitted',
      'The system does not permit it',
      'Check who owns the file and its folder.',
    ],
    EPERM: [
      'not-permitted',
      'The system does not permit it',
      'Check who owns the file and its folder.',
    ],
    EROFS: [
      'not-permitted',
      'The disk cannot be written to',
      'Choose another folder; TELETRAIN_HOME moves the one that teletrain uses.',
    ],
    EMFILE: [
      'too-many-files',
      'Too many files are open',
      'Close other programs or raise the limit with "ulimit -n".',
    ],
    ENOTDIR: ['not-a-folder', 'A part of the path is a file, not a folder', 'Check the path.'],
    EISDIR: ['not-a-file', 'The path is a folder, not a file', 'Give the path of a file.'],
  };

/** Trouble with the disk is the user's to mend, not a fault of the program. */
function describeSystemError(error: NodeJS.ErrnoException): ErrorDescription | undefined {
  const known = systemErrors[error.code ?? ''];
  if (!known) return undefined;
  const [code, what, hint] = known;
  return {
    code,
    message: error.path ? `${what}: ${error.path}.` : `${what}.`,
    hint,
    exitCode: exitCodes.failed,
  };
}
