import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type TeletrainError, UsageError } from '../../../shared/errors.ts';
import type { CheckpointView } from '../../session/types.ts';
import { formatBytes } from '../../ui/formatting.ts';
import { copyCheckpoint, verifyCheckpoint } from '../checkpoint-folder.ts';
import type { CommandContext } from '../context.ts';
import { example } from '../options.ts';
import { formatTable } from '../table.ts';

export function addCheckpoints(program: Command, context: CommandContext): void {
  const checkpoints = program
    .command('checkpoints')
    .summary('list, fetch or verify checkpoints')
    .description('List the checkpoints of a run, on its worker and on this machine.')
    .argument('[run]', "a run's name, a unique beginning of it, or last", 'last')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain checkpoints last
  teletrain checkpoints get last best --to ./model
  teletrain checkpoints verify ./model`,
    )
    .action((run: string) => listCheckpoints(context, run));
  checkpoints
    .command('get')
    .summary('fetch a checkpoint')
    .description('Bring a checkpoint to this machine, verified, and print its folder.')
    .argument('<run>', "a run's name, a unique beginning of it, or last")
    .argument('[id]', 'step-000000123, last or best', 'last')
    .option('--to <folder>', 'copy it there as well; the folder must be new or empty')
    .option('--json', 'one document')
    .addHelpText('after', example('checkpoints get last best --to ./model'))
    .action((run: string, id: string, options: { to?: string }) =>
      getCheckpoint(context, run, id, options.to),
    );
  checkpoints
    .command('verify')
    .summary('check the files of a checkpoint')
    .description('Check every file of a checkpoint against the sizes and SHA-256 in its manifest.')
    .argument('<folder>', 'the folder that holds manifest.json')
    .option('--json', 'one document')
    .addHelpText('after', example('checkpoints verify ./model'))
    .action(async (folder: string) => {
      const directory = resolve(folder);
      const manifest = await verifyCheckpoint(directory);
      if (context.output.json) context.output.document({ directory, verified: true, manifest });
      else
        context.output.line(
          `${manifest.id} of ${manifest.run}: ${manifest.files.length} files are whole.`,
        );
    });
}

async function listCheckpoints(context: CommandContext, run: string): Promise<void> {
  const client = await context.client();
  const handle = await client.openRun(run, { offline: true });
  try {
    const { checkpoints } = handle.view;
    if (context.output.json) context.output.document({ run: handle.id, checkpoints });
    else if (checkpoints.length === 0) context.output.line(`${handle.id} has no checkpoint yet.`);
    else for (const line of checkpointTable(checkpoints)) context.output.line(line);
  } finally {
    await handle.close();
  }
}

export function checkpointTable(checkpoints: readonly CheckpointView[]): string[] {
  const rows = checkpoints.map((checkpoint) => [
    checkpoint.id,
    String(checkpoint.epoch),
    formatBytes(checkpoint.bytes),
    checkpoint.best ? 'best' : '',
    checkpoint.removedOnWorker ? 'removed' : 'there',
    checkpoint.home.state === 'verified' ? checkpoint.home.directory : checkpoint.home.state,
  ]);
  return formatTable(['checkpoint', 'epoch', 'size', '', 'worker', 'this machine'], rows);
}

async function getCheckpoint(
  context: CommandContext,
  run: string,
  id: string,
  to?: string,
): Promise<void> {
  const client = await context.client();
  const atHome = await client.openRun(run, { offline: true });
  const found = await findAtHome(atHome.view.checkpoints, id);
  await atHome.close();
  const directory = found ?? (await download(context, run, id));
  const copied = to === undefined ? undefined : await copyCheckpoint(directory, resolve(to));
  if (context.output.json)
    context.output.document({ run: atHome.id, directory: copied ?? directory });
  else context.output.line(copied ?? directory);
}

async function findAtHome(
  checkpoints: readonly CheckpointView[],
  id: string,
): Promise<string | undefined> {
  const home = checkpointNamed(checkpoints, id)?.home;
  if (home?.state !== 'verified') return undefined;
  await verifyCheckpoint(home.directory);
  return home.directory;
}

async function download(context: CommandContext, run: string, id: string): Promise<string> {
  const client = await context.client();
  const handle = await client.openRun(run);
  try {
    const { checkpoints } = handle.view;
    const checkpoint = checkpointNamed(checkpoints, id);
    if (checkpoint === undefined) throw unknownCheckpoint(handle.id, id, checkpoints);
    const unsubscribe = handle.subscribe(() => {
      const now = handle.view.checkpoints.find((other) => other.id === checkpoint.id)?.home;
      if (now?.state !== 'arriving') return;
      const tenths = Math.floor((10 * now.received) / Math.max(1, checkpoint.bytes));
      context.output.progress(
        `${checkpoint.id}: ${tenths * 10}% of ${formatBytes(checkpoint.bytes)}`,
      );
    });
    try {
      return await handle.download(checkpoint.id, context.interruption());
    } finally {
      unsubscribe();
    }
  } finally {
    await handle.close();
  }
}

function checkpointNamed(
  checkpoints: readonly CheckpointView[],
  id: string,
): CheckpointView | undefined {
  const there = checkpoints.filter(
    (checkpoint) => !checkpoint.removedOnWorker || checkpoint.home.state === 'verified',
  );
  if (id === 'last') return there.at(-1);
  if (id === 'best') return there.findLast((checkpoint) => checkpoint.best);
  return there.find((checkpoint) => checkpoint.id === id);
}

function unknownCheckpoint(
  run: string,
  id: string,
  checkpoints: readonly CheckpointView[],
): TeletrainError {
  const ids = checkpoints.map((checkpoint) => checkpoint.id).join(', ');
  return new UsageError(
    'unknown-checkpoint',
    `${run} has no checkpoint "${id}".`,
    ids === '' ? 'It has none yet; one is made after each epoch.' : `It has: ${ids}.`,
  );
}
