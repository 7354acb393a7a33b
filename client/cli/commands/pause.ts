import type { Command } from 'commander';
import { isFinal } from '../../../shared/events.ts';
import type { CommandContext } from '../context.ts';
import { controlRun } from '../control-run.ts';

export function addPause(program: Command, context: CommandContext): void {
  program
    .command('pause')
    .summary('pause a run')
    .description('Pause a run after the step it is in; it keeps its worker and its memory.')
    .argument('<run>', "a run's name, a unique beginning of it, or last")
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Example:
  teletrain pause last`,
    )
    .action((run: string) =>
      controlRun(context, run, {
        ask: (handle) => handle.pause(),
        settled: (view) => view.state === 'paused' || isFinal(view.state),
        said: (view) => `${view.record.id} is ${view.state} at step ${view.step}.`,
      }),
    );
}
