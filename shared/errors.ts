/**
 * Errors a user can meet. Each has a stable `code` (kebab-case, part of the interface: scripts and
 * the wire rely on it), one sentence of what happened (`message`) and one of what to do (`hint`).
 * Programming errors are not of this class and are left to crash loudly.
 */

/** Process exit codes; documented in README. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  workerLost: 3,
  stoppedEarly: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface TeletrainErrorOptions {
  /** What the user can do, one sentence. */
  hint: string;
  /** Exit code of a command that ends with this error. Default: 1. */
  exitCode?: ExitCode;
  cause?: unknown;
}

export class TeletrainError extends Error {
  override readonly name: string = 'TeletrainError';
  readonly code: string;
  readonly hint: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, options: TeletrainErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }

  /** The error object that crosses the wire and that `--json` prints; long texts are cut. */
  toJSON(): { code: string; message: string; hint: string } {
    return { code: this.code, message: cut(this.message), hint: cut(this.hint) };
  }
}

/** Longest text of an error that crosses the wire, in characters. */
export const longestErrorText = 4096;

const cut = (text: string): string =>
  text.length > longestErrorText ? `${text.slice(0, longestErrorText - 3)}...` : text;

/** The user asked for something that cannot be: a wrong recipe, setting, path or option. Exit code 2. */
export class UsageError extends TeletrainError {
  override readonly name = 'UsageError';

  constructor(code: string, message: string, hint: string) {
    super(code, message, { hint, exitCode: exitCodes.usage });
  }
}
