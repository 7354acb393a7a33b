import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { followRun } from '../follow-run.ts';
import { wholeNumber } from '../options.ts';
import { showDashboard } from './dashboard.ts';

export function addAttach(program: Command, context: CommandContext): void {
  program
    .command('attach')
    .summary('follow a run again')
    .description('Follow a run again, from where this machine left off, to its end.')
    .argument('[run]', "a run's name, a unique beginning of it, or last", 'last')
    .option('--plain', 'no dashboard: one line an epoch')
    .option(
      '--lost-after <seconds>',
      'without a dashboard: give up a worker not heard of for so long',
      wholeNumber(1),
      300,
    )
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
      const handle = await client.openRun(run, { signal });
      context.exitCode = await followRun(handle, context.output, {
        signal,
        lostAfterMs: options.lostAfter * 1000,
      });
    });
}
