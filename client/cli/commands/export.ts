import { type Command, Option } from 'commander';
import type { RunEvent } from '../../../shared/events.ts';
import { eventToJson } from '../../../shared/events.ts';
import type { CommandContext } from '../context.ts';

export function addExport(program: Command, context: CommandContext): void {
  program
    .command('export')
    .summary('write the data of a run')
    .description(
      'Write the data of a run as this machine has it: its metrics as CSV, or all its events as NDJSON.',
    )
    .argument('<run>', "a run's name, a unique beginning of it, or last")
    .addOption(
      new Option('--format <format>', 'csv: metrics; json: events, one a line')
        .choices(['csv', 'json'])
        .default('csv'),
    )
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      `
A step that a recovered run took twice is in the data twice, with a rewind event between (json).

Examples:
  teletrain export last > metrics.csv
  teletrain export last --format json | jq 'select(.type == "metric")'`,
    )
    .action(async (run: string, options: { format: 'csv' | 'json'; json?: boolean }) => {
      const { output } = context;
      const client = await context.client();
      const handle = await client.openRun(run, { offline: true });
      try {
        const csv = options.format === 'csv' && !options.json;
        if (csv) output.line(csvHeading.join(','));
        for await (const event of handle.events()) {
          if (!csv) output.record(eventToJson(event));
          else if (event.type === 'metric') output.line(csvRow(event));
        }
      } finally {
        await handle.close();
      }
    });
}

const csvHeading = [
  'run',
  'seq',
  'time',
  'step',
  'epoch',
  'split',
  'per',
  'name',
  'value',
] as const;

/** No value holds a comma or a quote: ids, names and numbers only. */
function csvRow(event: Extract<RunEvent, { type: 'metric' }>): string {
  return csvHeading
    .map((key) => (key === 'time' ? new Date(event.time).toISOString() : String(event[key])))
    .join(',');
}
