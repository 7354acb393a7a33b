import { type ExitCode, exitCodes, TeletrainError } from '../../shared/errors.ts';
import type { TeletrainClient } from '../session/types.ts';
import type { Output } from './output.ts';

/** What every command is given. */
export interface CommandContext {
  readonly output: Output;
  /** Both standard input and output are a terminal that can show the dashboard. */
  readonly interactive: boolean;
  /** Made when first asked for, closed after the command. */
  client(): Promise<TeletrainClient>;
  /**
   * Aborts with an `interrupted` error on Ctrl-C or SIGTERM, from the first time it is asked for;
   * before that, these end the process as usual. A second Ctrl-C ends it at once.
   */
  interruption(): AbortSignal;
  /** What the process ends with when the command returns. */
  exitCode: ExitCode;
}

/** Reason of the abort that Ctrl-C causes. */
export function interrupted(): TeletrainError {
  return new TeletrainError('interrupted', 'Interrupted.', {
    hint: 'Runs that had started go on; "teletrain runs" lists them.',
    exitCode: exitCodes.interrupted,
  });
}
