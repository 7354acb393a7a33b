import type { Command } from 'commander';
import type { RunListItem } from '../../session/types.ts';
import type { CommandContext } from '../context.ts';
import { lossText } from '../run-text.ts';
import { formatTable } from '../table.ts';

export function addRuns(program: Command, context: CommandContext): void {
  program
    .command('runs')
    .summary('list the runs')
    .description('List the runs this machine knows of, newest first.')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain runs
  teletrain runs --json | jq -r '.runs[] | select(.state == "done") | .id'`,
    )
    .action(async () => {
      const client = await context.client();
      const runs = await client.runs();
      const { output } = context;
      if (output.json) output.document({ runs: runs.map(listItemToJson) });
      else if (runs.length === 0)
        output.line('No runs yet. Start one: teletrain run digits-pixel-rnn --quick');
      else for (const line of runTable(runs)) output.line(line);
    });
}

function listItemToJson({ record, ...rest }: RunListItem): Record<string, unknown> {
  const { id, recipe, quick, createdAt, settings } = record;
  return { id, recipe, quick, createdAt: new Date(createdAt).toISOString(), ...rest, settings };
}

export function runTable(runs: readonly RunListItem[]): string[] {
  const rows = runs.map((run) => [
    run.record.id,
    run.state,
    `${run.epoch}/${run.epochs}`,
    String(run.step),
    run.bestLoss === undefined ? '' : lossText(run.bestLoss),
    run.worker ?? '',
  ]);
  return formatTable(['run', 'state', 'epoch', 'step', 'best loss', 'worker'], rows);
}
