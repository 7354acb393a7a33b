import type { Command } from 'commander';
import { isFinal } from '../../../shared/events.ts';
import type { RunHandle, TeletrainClient } from '../../session/types.ts';
import type { CommandContext } from '../context.ts';
import { followRun } from '../follow-run.ts';
import { addFollowOptions } from '../options.ts';
import { showDashboard } from './dashboard.ts';

export function addAttach(program: Command, context: CommandContext): void {
  const command = program
    .command('attach')
    .summary('follow a run again')
    .description('Follow a run again, from where this machine left off, to its end.')
    .argument('[run]', "a run's name, a unique beginning of it, or last", 'last');
  addFollowOptions(command)
    .option('--json', 'one event a line, from the first')
    .addHelpText(
      'after',
      `
Examples:
  teletrain attach
  teletrain attach imdb-lstm-20261123 --plain`,
    )
    .action(async (run: string, options: { plain?: boolean; lostAfter: number }) => {
      if (context.interactive && !options.plain && !context.output.json) {
        await showDashboard(context, { run });
        return;
      }
      const signal = context.interruption();
      const client = await context.client();
      const handle = await openForFollowing(client, run, signal);
      context.exitCode = await followRun(handle, context.output, {
        signal,
        lostAfterMs: options.lostAfter * 1000,
      });
    });
}

/** A run that has ended and whose worker is gone is shown from this disk, where all of it is. */
async function openForFollowing(
  client: TeletrainClient,
  run: string,
  signal: AbortSignal,
): Promise<RunHandle> {
  const handle = await client.openRun(run, { signal });
  if (handle.view.connection.kind === 'connected' || !isFinal(handle.view.state)) return handle;
  await handle.close();
  return client.openRun(run, { offline: true });
}
