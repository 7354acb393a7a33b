import type { Command } from 'commander';
import { UsageError } from '../../../shared/errors.ts';
import type { CommandContext } from '../context.ts';
import { controlRun } from '../control-run.ts';
import { wholeNumber } from '../options.ts';

export function addChange(program: Command, context: CommandContext): void {
  program
    .command('change')
    .summary('change epochs or patience')
    .description(
      'Change the number of epochs or the early-stopping patience of a run, while it goes on or, once it has ended, before it is resumed.',
    )
    .argument('<run>', "a run's name, a unique beginning of it, or last")
    .option('--epochs <count>', 'passes over the training examples in all', wholeNumber(1))
    .option(
      '--patience <epochs>',
      'epochs without a better validation loss after which it ends; 0: never',
      wholeNumber(0),
    )
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Example:
  teletrain change last --epochs 20 --patience 3`,
    )
    .action((run: string, options: { epochs?: number; patience?: number }) => {
      const { epochs, patience } = options;
      if (epochs === undefined && patience === undefined) {
        throw new UsageError(
          'usage',
          'Nothing to change was given.',
          'Give --epochs, --patience or both.',
        );
      }
      const changes = {
        ...(epochs === undefined ? {} : { epochs }),
        ...(patience === undefined ? {} : { patience }),
      };
      return controlRun(context, run, {
        ask: (handle) => handle.change(changes),
        settled: (view) =>
          (epochs === undefined || view.epochs === epochs) &&
          (patience === undefined || view.patience === patience),
        said: (view) =>
          `${view.record.id}: ${view.epochs} ${view.epochs === 1 ? 'epoch' : 'epochs'}, patience ${view.patience}.`,
      });
    });
}
