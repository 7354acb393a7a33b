import type { Command } from 'commander';
import type { ExitCode } from '../../../shared/errors.ts';
import type { CommandContext } from '../context.ts';
import { collect, existingFolder, wholeNumber } from '../options.ts';
import { becomeWorkerProgram } from '../worker-process.ts';

interface WorkerOptions {
  port?: number;
  host?: string;
  name?: string;
  home?: string;
  tokenFile?: string;
  dataDir?: string;
  tls?: string;
  tlsCert?: string;
  tlsKey?: string;
  allowOrigin?: readonly string[];
  requireGpu?: boolean;
  idleMinutes?: number;
  recover: boolean;
  parentWatch?: boolean;
  status?: boolean;
  json?: boolean;
}

export function addWorker(program: Command, context: CommandContext): void {
  program
    .command('worker')
    .summary('start a worker on this machine')
    .description('Start a worker on this machine, in the foreground until it is interrupted.')
    .option(
      '--port <port>',
      'port to listen on; 0 takes a free one (default: 8787)',
      wholeNumber(0, 65535),
    )
    .option('--host <address>', 'address to listen on (default: 127.0.0.1, this machine only)')
    .option('--name <name>', 'what it calls itself (default: the name of this machine)')
    .option('--home <folder>', 'its runs, tokens and lock file (default: worker in TELETRAIN_HOME)')
    .option('--token-file <file>', 'accept the token in this file; no one-time code is shown then')
    .option('--data-dir <folder>', 'where it finds datasets (default: TELETRAIN_DATA)')
    .option(
      '--tls <way>',
      'auto, self-signed or off: encrypt by a certificate that it makes itself, known by the pin that it prints (default: auto, which does so where other machines can reach it)',
    )
    .option('--tls-cert <file>', 'encrypt by this certificate (PEM, with its chain)')
    .option('--tls-key <file>', 'and this key (PEM)')
    .option(
      '--allow-origin <origin>',
      'let pages of this origin connect, https://page.example; may be given many times (default: no page may)',
      collect,
    )
    .option('--require-gpu', 'stop with the reason where it cannot train on a GPU')
    .option(
      '--idle-minutes <minutes>',
      'end after so long without a run and a client; 0: never (default: 0)',
      wholeNumber(0),
    )
    .option('--no-recover', 'do not go on by itself with a run that was cut off')
    .option('--parent-watch', 'end when the program that started it has ended')
    .option('--status', 'live status every second also where the output is no terminal, or is JSON')
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
      const args = workerArguments({ ...options, ...(dataDir === undefined ? {} : { dataDir }) });
      // The worker's exit codes are those of the commands.
      context.exitCode = (await becomeWorkerProgram('gateway/main', args)) as ExitCode;
    });
}

/** The same options as the worker's program takes them (PROTOCOL.md, "Starting a worker"). */
export function workerArguments(options: WorkerOptions): string[] {
  const { requireGpu, recover, parentWatch, status, json } = options;
  return [
    ...given('--port', options.port),
    ...given('--host', options.host),
    ...given('--name', options.name),
    ...given('--home', options.home),
    ...given('--token-file', options.tokenFile),
    ...given('--data-dir', options.dataDir),
    ...given('--idle-minutes', options.idleMinutes),
    ...given('--tls', options.tls),
    ...given('--tls-cert', options.tlsCert),
    ...given('--tls-key', options.tlsKey),
    ...(options.allowOrigin ?? []).flatMap((origin) => ['--allow-origin', origin]),
    ...(requireGpu ? ['--require-gpu'] : []),
    ...(recover ? [] : ['--no-recover']),
    ...(parentWatch ? ['--parent-watch'] : []),
    ...(status ? ['--status'] : []),
    ...(json ? ['--json'] : []),
  ];
}

function given(option: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [option, String(value)];
}
