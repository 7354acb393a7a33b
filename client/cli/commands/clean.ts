import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { cacheReportSchema } from '../../../shared/cache-report.ts';
import { TeletrainError, UsageError } from '../../../shared/errors.ts';
import { isFinal } from '../../../shared/events.ts';
import { formatBytes } from '../../ui/formatting.ts';
import type { CommandContext } from '../context.ts';
import { collect } from '../options.ts';
import { formatTable } from '../table.ts';
import { askWorkerProgram } from '../worker-process.ts';

interface CleanOptions {
  all?: boolean;
  engine?: boolean;
  data?: boolean;
  run?: readonly string[];
}

export function addClean(program: Command, context: CommandContext): void {
  program
    .command('clean')
    .summary('show and free caches')
    .description(
      'Show how much disk the caches take, and free those that are named. Runs are deleted only when named.',
    )
    .option(
      '--engine',
      'remove the fetched TensorFlow and what was compiled; made again when needed',
    )
    .option('--data', 'remove downloaded datasets; downloaded again when needed')
    .option('--all', 'both')
    .option(
      '--run <run>',
      "remove this machine's copy of an ended run, checkpoints and all; may be given many times",
      collect,
    )
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain clean
  teletrain clean --data
  teletrain clean --run digits-pixel-rnn-20261123-001522-k3f9`,
    )
    .action(async (options: CleanOptions) => {
      const removedRuns = await removeRuns(context, options.run ?? []);
      const names = [
        ...(options.engine || options.all ? ['engine'] : []),
        ...(options.data || options.all ? ['datasets'] : []),
      ];
      const report = cacheReportSchema.parse(await askWorkerProgram('native/caches', names));
      if (context.output.json) {
        context.output.document({ ...report, removedRuns });
        return;
      }
      for (const directory of removedRuns) context.output.line(`removed ${directory}`);
      const rows = report.caches.map((cache) => [
        cache.name,
        formatBytes(cache.bytes),
        cache.freedBytes > 0 ? `freed ${formatBytes(cache.freedBytes)}` : '',
        cache.folder,
      ]);
      for (const line of formatTable(['cache', 'size', '', 'folder'], rows))
        context.output.line(line);
    });
}

async function removeRuns(context: CommandContext, runs: readonly string[]): Promise<string[]> {
  if (runs.length === 0) return [];
  const client = await context.client();
  const known = await client.runs();
  const chosen = runs.map((id) => {
    const run = known.find((candidate) => candidate.record.id === id);
    if (!run) {
      throw new UsageError(
        'unknown-run',
        `There is no run "${id}".`,
        'Give its whole name, as "teletrain runs" lists it.',
      );
    }
    if (!isFinal(run.state)) {
      throw new TeletrainError('run-active', `${id} has not ended: it is ${run.state}.`, {
        hint: `End it first with "teletrain stop ${id}".`,
      });
    }
    return run.directory;
  });
  for (const directory of chosen) await rm(directory, { recursive: true });
  return chosen;
}
