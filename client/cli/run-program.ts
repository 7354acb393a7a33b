import { exitCodes } from '../../shared/errors.ts';
import type { TeletrainClient } from '../session/types.ts';
import { type CommandContext, interrupted } from './context.ts';
import { Output } from './output.ts';
import { createProgram } from './program.ts';
import { describeError, printError } from './report-error.ts';

/**
 * Runs one command line and returns the process's exit code. Never throws: every error is printed,
 * a user's as one sentence and one hint, a programming error with its stack.
 *
 * @param args What follows the program's name.
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  endQuietlyWithReader(process.stdout);
  endQuietlyWithReader(process.stderr);
  const json = args.includes('--json');
  const output = new Output({ json });
  let client: Promise<TeletrainClient> | undefined;
  let interruption: AbortSignal | undefined;
  const context: CommandContext = {
    output,
    interactive:
      Boolean(process.stdin.isTTY && process.stdout.isTTY) && process.env.TERM !== 'dumb',
    client: () => {
      client ??= import('../session/client.ts').then((session) => session.createClient());
      return client;
    },
    interruption: () => {
      interruption ??= abortOnInterrupt();
      return interruption;
    },
    exitCode: exitCodes.done,
  };
  let exitCode: number;
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
    exitCode = context.exitCode;
  } catch (error) {
    const description = describeError(error);
    printError(description, output);
    exitCode = description.exitCode;
  }
  await client
    ?.then((opened) => opened.close())
    .catch(() => {
      // The command's own outcome has been told; a client that cannot close adds nothing to it.
    });
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  return exitCode;
}

function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCodes.interrupted);
      controller.abort(interrupted());
    });
  }
  return controller.signal;
}

/** `teletrain … | head` closes the pipe early: that is no error. */
function endQuietlyWithReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    throw error;
  });
}

/** Pipes are written in the background; leaving before would cut the end off. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
