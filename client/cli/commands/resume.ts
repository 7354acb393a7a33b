import type { Command } from 'commander';
import { isFinal } from '../../../shared/events.ts';
import type { CommandContext } from '../context.ts';
import { followRun } from '../follow-run.ts';
import { addFollowOptions, wholeNumber } from '../options.ts';
import { showDashboard } from './dashboard.ts';
import { sayProgress } from './run.ts';

interface ResumeOptions {
  on?: string;
  replace?: boolean;
  epochs?: number;
  patience?: number;
  detach?: boolean;
  plain?: boolean;
  lostAfter: number;
}

export function addResume(program: Command, context: CommandContext): void {
  const command = program
    .command('resume')
    .summary('go on with a run')
    .description(
      'Go on with a paused run, or with one that ended, from its last checkpoint; with --on on another worker, to which the checkpoint of this machine is sent first.',
    )
    .argument('<run>', "a run's name, a unique beginning of it, or last")
    .option(
      '--on <worker>',
      'name of a connected worker, its address, or local (default: where it ran)',
    )
    .option(
      '--replace',
      'move aside a copy of the run that ended on that worker and is not known here',
    )
    .option('--epochs <count>', 'passes over the training examples in all', wholeNumber(1))
    .option(
      '--patience <epochs>',
      'epochs without a better validation loss after which it ends; 0: never',
      wholeNumber(0),
    )
    .option('--detach', 'do not follow it');
  addFollowOptions(command)
    .option('--json', 'one event a line; with --detach one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain resume last
  teletrain resume imdb-lstm-20261123 --on colab
  teletrain resume last --epochs 20             a run that is done goes on for more epochs`,
    )
    .action(async (run: string, options: ResumeOptions) => {
      const signal = context.interruption();
      const client = await context.client();
      const { epochs, patience } = options;
      const changes = {
        ...(epochs === undefined ? {} : { epochs }),
        ...(patience === undefined ? {} : { patience }),
      };
      const handle = await client.resumeRun(run, {
        signal,
        onProgress: sayProgress(context),
        ...(options.on === undefined ? {} : { on: options.on }),
        ...(options.replace ? { replace: true } : {}),
        ...(Object.keys(changes).length > 0 ? { changes } : {}),
      });
      if (options.detach) {
        const { id, view } = handle;
        const state = isFinal(view.state) ? 'starting' : view.state;
        await handle.close();
        if (context.output.json) context.output.document({ run: id, state, worker: view.worker });
        else context.output.line(`${id} goes on${view.worker ? ` on ${view.worker}` : ''}.`);
      } else if (context.interactive && !options.plain && !context.output.json) {
        await showDashboard(context, { openRun: handle });
      } else {
        context.exitCode = await followRun(handle, context.output, {
          signal,
          lostAfterMs: options.lostAfter * 1000,
        });
      }
    });
}
