import { CommanderError } from 'commander';
import { exitCodes, TeletrainError } from '../../shared/errors.ts';
import { diskTrouble } from '../../shared/system-errors.ts';
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
  if (error instanceof CommanderError) return describeUsage(error);
  const told = error instanceof TeletrainError ? error : diskTrouble(error);
  if (told) return { ...told.toJSON(), exitCode: told.exitCode };
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
