import type { Command } from 'commander';
import type { ExitCode } from '../../../shared/errors.ts';
import type { CommandContext } from '../context.ts';
import { existingFolder, wholeNumber } from '../options.ts';
import { becomeWorkerProgram } from '../worker-process.ts';

interface WorkerOptions {
  port?: number;
  host?: string;
  name?: string;
  tokenFile?: string;
  dataDir?: string;
  requireGpu?: boolean;
  idleMinutes?: number;
  json?: boolean;
}

export function addWorker(program: Command, context: CommandContext): void {
  program
    .command('worker')
    .summary('start a worker on this machine')
    .description('Start a worker on this machine, in the foreground until it is interrupted.')
    .option('--port <port>', 'port to listen on; 0 takes a free one', wholeNumber(0, 65535))
    .option('--host <address>', 'address to listen on (default: 127.0.0.1, this machine only)')
    .option('--name <name>', 'what it calls itself')
    .option('--token-file <file>', 'accept the token in this file; no one-time code is shown then')
    .option('--data-dir <folder>', 'where it finds datasets (default: TELETRAIN_DATA)')
    .option('--require-gpu', 'stop with the reason where it cannot train on a GPU')
    .option(
      '--idle-minutes <minutes>',
      'end after so long without a run and a client; 0: never',
      wholeNumber(0),
    )
    .option('--json', 'what it says as JSON, one object a line')
    .addHelpText(
      'after',
      `
It prints a one-time code, valid for ten minutes, with which a client pairs:
"teletrain connect <url>". Ctrl-C ends it; a run that is active leaves a checkpoint.

Examples:
  teletrain worker --port 8787 --require-gpu
  teletrain worker --data-dir ../shared/data`,
    )
    .action(async (options: WorkerOptions) => {
      const dataDir =
        options.dataDir === undefined
          ? undefined
          : await existingFolder(options.dataDir, '--data-dir');
      const args = [
        ...given('--port', options.port),
        ...given('--host', options.host),
        ...given('--name', options.name),
        ...given('--token-file', options.tokenFile),
        ...given('--data-dir', dataDir),
        ...given('--idle-minutes', options.idleMinutes),
        ...(options.requireGpu ? ['--require-gpu'] : []),
        ...(options.json ? ['--json'] : []),
      ];
      // The worker's exit codes are those of the commands.
      context.exitCode = (await becomeWorkerProgram('gateway/main', args)) as ExitCode;
    });
}

function given(option: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [option, String(value)];
}
