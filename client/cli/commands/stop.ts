import type { Command } from 'commander';
import { UsageError } from '../../../shared/errors.ts';
import { isFinal } from '../../../shared/events.ts';
import type { CommandContext } from '../context.ts';
import { controlRun } from '../control-run.ts';

export function addStop(program: Command, context: CommandContext): void {
  program
    .command('stop')
    .summary('end a run, leaving a checkpoint')
    .description('End a run and leave a checkpoint, from which it can be resumed.')
    .argument('<run>', "a run's name, a unique beginning of it, or last")
    .option('--now', 'after the step it is in (the default)')
    .option('--epoch', 'after the epoch it is in, validated')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain stop last
  teletrain stop imdb-lstm-20261123 --epoch`,
    )
    .action((run: string, options: { now?: boolean; epoch?: boolean }) => {
      if (options.now && options.epoch) {
        throw new UsageError('usage', '--now and --epoch exclude each other.', 'Give one of them.');
      }
      const when = options.epoch ? 'epoch' : 'now';
      return controlRun(context, run, {
        ask: (handle) => handle.stop(when),
        settled: (view) => isFinal(view.state) || (when === 'epoch' && view.pending === 'stopping'),
        said: (view) =>
          isFinal(view.state)
            ? `${view.record.id} is ${view.state} at step ${view.step}, epoch ${view.epoch}.`
            : `${view.record.id} will stop after epoch ${view.epoch}.`,
      });
    });
}
