import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { cacheReportSchema } from '../../../shared/cache-report.ts';
import { TeletrainError, UsageError } from '../../../shared/errors.ts';
import { isFinal } from '../../../shared/events.ts';
import type { TeletrainClient } from '../../session/types.ts';
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
  force?: boolean;
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
      "remove this machine's copy of a run that has ended or whose worker is gone, checkpoints and all; may be given many times",
      collect,
    )
    .option(
      '--force',
      'with --run: also of a run that has not ended and whose worker can be reached; it goes on there',
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
      const removedRuns = await removeRuns(context, options);
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

async function removeRuns(
  context: CommandContext,
  { run: ids = [], force = false }: CleanOptions,
): Promise<string[]> {
  if (ids.length === 0) return [];
  const directories = await removableRuns(await context.client(), ids, force);
  for (const directory of directories) await rm(directory, { recursive: true });
  return directories;
}

/**
 * The folders of these runs. A run that has not ended may be removed where nobody can end it: its
 * worker cannot be reached.
 * @throws UsageError `unknown-run`; TeletrainError `run-active`, unless `force`.
 */
export async function removableRuns(
  client: Pick<TeletrainClient, 'runs' | 'workerInfo'>,
  ids: readonly string[],
  force: boolean,
): Promise<string[]> {
  const known = await client.runs();
  const directories: string[] = [];
  for (const id of ids) {
    const run = known.find((candidate) => candidate.record.id === id);
    if (!run) {
      throw new UsageError(
        'unknown-run',
        `There is no run "${id}".`,
        'Give its whole name, as "teletrain runs" lists it.',
      );
    }
    if (!force && !isFinal(run.state) && (await canBeReached(client, run.worker))) {
      throw new TeletrainError('run-active', `${id} has not ended: it is ${run.state}.`, {
        hint: `End it first with "teletrain stop ${id}", or give --force: it goes on there then.`,
      });
    }
    directories.push(run.directory);
  }
  return directories;
}

async function canBeReached(
  client: Pick<TeletrainClient, 'workerInfo'>,
  worker: string | undefined,
): Promise<boolean> {
  if (worker === undefined) return false;
  try {
    await client.workerInfo(worker, { glance: true });
    return true;
  } catch (error) {
    if (error instanceof TeletrainError) return false;
    throw error;
  }
}
