import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { findRecipe } from '../../../shared/recipes.ts';
import type { RunView } from '../../session/types.ts';
import { formatBytes, formatDate } from '../../ui/formatting.ts';
import type { CommandContext } from '../context.ts';
import { layerText } from '../layer-text.ts';
import { runToJson } from '../run-json.ts';
import { engineText, epochLine, stateText, testLines } from '../run-text.ts';

export function addShow(program: Command, context: CommandContext): void {
  program
    .command('show')
    .summary('show one run')
    .description(
      'Show one run as this machine knows it: settings, engine, epochs, checkpoints, pictures. No worker is needed.',
    )
    .argument('[run]', "a run's name, a unique beginning of it, or last", 'last')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain show last
  teletrain show last --json | jq .checkpoints`,
    )
    .action(async (run: string) => {
      const client = await context.client();
      const handle = await client.openRun(run, { offline: true });
      try {
        if (context.output.json) context.output.document(runToJson(handle.view));
        else for (const line of runLines(handle.view)) context.output.line(line);
      } finally {
        await handle.close();
      }
    });
}

function runLines(view: RunView): string[] {
  const { record } = view;
  const settings = Object.entries(record.settings).map(([key, value]) => `${key}=${value}`);
  const layer = view.engine && layerText(view.engine, findRecipe(record.recipe)?.layer);
  return [
    `${record.id}${record.quick ? ' (quick)' : ''}`,
    `state       ${stateText(view)}`,
    `step        ${view.step}, epoch ${view.epoch} of ${view.epochs}`,
    `started     ${formatDate(record.createdAt)} by teletrain ${record.version}${view.worker ? ` on ${view.worker}` : ''}`,
    ...(view.engine ? [`engine      ${engineText(view.engine)}`] : []),
    ...(layer ? [`layers      ${layer}`] : []),
    `settings    ${settings.join(' ')}`,
    ...view.epochsDone.map((epoch) => epochLine(view, epoch)),
    ...testLines(view),
    ...view.checkpoints
      .filter((checkpoint) => !checkpoint.removedOnWorker || checkpoint.home.state === 'verified')
      .map(
        (checkpoint) =>
          `checkpoint  ${checkpoint.id}  ${formatBytes(checkpoint.bytes)}${checkpoint.best ? '  best' : ''}  ${checkpoint.home.state === 'verified' ? relative(view.directory, checkpoint.home.directory) : 'on the worker only'}`,
      ),
    ...view.samples.slice(-1).map((sample) => `pictures    ${join(view.directory, sample.file)}`),
    `folder      ${view.directory}`,
  ];
}
