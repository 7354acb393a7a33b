import type { Command } from 'commander';
import type { RunListItem } from '../../session/types.ts';
import { formatAgo } from '../../ui/formatting.ts';
import { unheardMs } from '../../ui/state/stale-run.ts';
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
      else for (const line of runTable(runs, Date.now())) output.line(line);
    });
}

function listItemToJson({ record, lastHeardAt, ...rest }: RunListItem): Record<string, unknown> {
  const { id, recipe, quick, createdAt, settings } = record;
  const times = {
    createdAt: new Date(createdAt).toISOString(),
    lastHeardAt: new Date(lastHeardAt).toISOString(),
  };
  return { id, recipe, quick, ...times, ...rest, settings };
}

export function runTable(runs: readonly RunListItem[], now: number): string[] {
  const rows = runs.map((run) => [
    run.record.id,
    stateText(run, now),
    `${run.epoch}/${run.epochs}`,
    String(run.step),
    run.bestLoss === undefined ? '' : lossText(run.bestLoss),
    run.worker ?? '',
  ]);
  return formatTable(['run', 'state', 'epoch', 'step', 'best loss', 'worker'], rows);
}

/** `running`, or where that was long ago `running, last heard 3 h ago`. */
function stateText(run: RunListItem, now: number): string {
  const silence = unheardMs(run, now);
  return silence === undefined ? run.state : `${run.state}, last heard ${formatAgo(silence)}`;
}
