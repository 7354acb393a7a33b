import { open, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { z } from 'zod';
import { benchmarkAnswerSchema, type CaseReport } from '../../../shared/benchmark-report.ts';
import { exitCodes, TeletrainError, UsageError } from '../../../shared/errors.ts';
import { benchLines, benchListLines } from '../bench-text.ts';
import type { CommandContext } from '../context.ts';
import { collect, existingFolder, wholeNumber } from '../options.ts';
import type { Output } from '../output.ts';
import { sweepPicture } from '../sweep-picture.ts';
import { sweepLines } from '../sweep-text.ts';
import { askWorkerProgram } from '../worker-process.ts';

interface BenchOptions {
  case?: readonly string[];
  peer?: readonly string[];
  rounds: number;
  peersPython?: string;
  earlier?: string;
  sweep?: boolean;
  svg?: string;
  list?: boolean;
}

export function addBench(program: Command, context: CommandContext): void {
  program
    .command('bench')
    .summary('time the engine against Keras, PyTorch, JAX and stock tfjs')
    .description(
      'Time the engine on the CPU against its peers on this machine: each in a process of its own, by turns and never two at once. Ends with exit code 1 if a case could not time the engine itself.',
    )
    .option('--case <name>', 'only this case; may be given many times', collect)
    .option('--peer <name>', 'only this peer; may be given many times', collect)
    .option('--rounds <number>', 'rounds after warming up', wholeNumber(1, 1000), 7)
    .option(
      '--peers-python <path>',
      'the Python that has the peers (default: TELETRAIN_PEERS_PYTHON, else the environment that the line for a missing peer makes)',
    )
    .option('--earlier <folder>', 'another clone of teletrain takes part as well')
    .option(
      '--sweep',
      'instead: each recurrent layer over batches, timesteps and units, to see whether cost grows as the work does',
    )
    .option('--svg <file>', 'with --sweep: draw it into this file')
    .option('--list', 'show the cases, their peers and their targets')
    .option('--json', 'one document; times in milliseconds')
    .addHelpText(
      'after',
      `
Examples:
  teletrain bench --case report-stack --peer keras --rounds 5
  teletrain bench --sweep --rounds 3 --svg sweep.svg`,
    )
    .action(async (options: BenchOptions) => {
      refuseSenseless(options);
      if (options.svg !== undefined) await provePathWritable(options.svg);
      const request = {
        ...(options.list && { list: true }),
        ...(options.sweep && { sweep: true }),
        ...(options.case && { cases: options.case }),
        ...(options.peer && { peers: options.peer }),
        ...(options.peersPython !== undefined && { python: options.peersPython }),
        ...(options.earlier !== undefined && {
          earlier: await existingFolder(options.earlier, '--earlier'),
        }),
        rounds: options.rounds,
      };
      const answer = benchmarkAnswerSchema.parse(
        await askWorkerProgram('benchmarks/main', [JSON.stringify(request)], {
          signal: context.interruption(),
        }),
      );
      if ('error' in answer) {
        const { code, message, hint, exitCode } = answer.error;
        throw new TeletrainError(code, message, { hint, exitCode });
      }
      try {
        // Before printing, which ends the process where a pipe's reader has gone.
        if ('sweep' in answer && options.svg !== undefined) {
          await writeFile(options.svg, sweepPicture(answer.sweep));
        }
      } finally {
        print(answer, context.output);
      }
      if ('report' in answer && !answer.report.cases.every(hasOurs)) {
        context.exitCode = exitCodes.failed;
      }
    });
}

/** @throws UsageError `usage` where an option would have no effect. */
function refuseSenseless({ sweep, svg, ...others }: BenchOptions): void {
  if (svg !== undefined && !sweep) {
    throw new UsageError('usage', '--svg draws a sweep, and there is none.', 'Give --sweep too.');
  }
  const chosen = (['case', 'peer', 'earlier', 'list'] as const).find(
    (option) => others[option] !== undefined,
  );
  if (sweep && chosen) {
    throw new UsageError(
      'usage',
      `--sweep times our layers alone: --${chosen} has no effect on it.`,
      'Give one of them.',
    );
  }
}

/**
 * So that a sweep of minutes does not end with a picture that cannot be written.
 * @throws UsageError `cannot-write`.
 */
async function provePathWritable(path: string): Promise<void> {
  try {
    await (await open(path, 'a')).close();
  } catch (error) {
    throw new UsageError(
      'cannot-write',
      `--svg ${path} cannot be written: ${error instanceof Error ? error.message : error}.`,
      'Give a path in a folder that exists and that you may write to.',
    );
  }
}

const hasOurs = ({ measurements }: CaseReport): boolean =>
  measurements.some(({ participant }) => participant === 'teletrain');

type Measured = Exclude<z.infer<typeof benchmarkAnswerSchema>, { error: unknown }>;

function print(answer: Measured, output: Output): void {
  if (output.json) {
    output.document(Object.values(answer)[0]);
    return;
  }
  const lines =
    'list' in answer
      ? benchListLines(answer.list)
      : 'sweep' in answer
        ? sweepLines(answer.sweep)
        : benchLines(answer.report);
  for (const line of lines) output.line(line);
}
