import type { Command } from 'commander';
import { UsageError } from '../../../shared/errors.ts';
import {
  completeSettings,
  parseSettingText,
  recipeNamed,
  recipeNames,
} from '../../../shared/recipes.ts';
import type { SetupProgress, StartOptions } from '../../session/types.ts';
import { type CommandContext, interrupted } from '../context.ts';
import { followRun } from '../follow-run.ts';
import { addFollowOptions, collect, existingFolder } from '../options.ts';
import { recipeList, settingList } from '../setting-help.ts';
import { showDashboard } from './dashboard.ts';

interface RunOptions {
  on?: string;
  set?: readonly string[];
  quick?: boolean;
  dataDir?: string;
  detach?: boolean;
  plain?: boolean;
  lostAfter: number;
}

export function addRun(program: Command, context: CommandContext): void {
  const command = program
    .command('run')
    .summary('train one recipe')
    .description(
      'Train one recipe and follow it to its end: in a terminal in the dashboard, else one line an epoch.',
    )
    .argument('<recipe>', 'what to train')
    .option(
      '--on <worker>',
      'name of a connected worker, or its ws:// or wss:// address (default: this machine)',
    )
    .option(
      '--set <key=value>',
      "change one of the recipe's settings; may be given many times",
      collect,
    )
    .option('--quick', 'small and quick, on real data, to try it out')
    .option(
      '--data-dir <folder>',
      'where the local worker finds datasets (default: TELETRAIN_DATA)',
    )
    .option('--detach', 'start it, print its name and return');
  addFollowOptions(command)
    .option('--json', 'one event a line; with --detach one document')
    .addHelpText('after', ({ command }) => {
      const recipe = recipeNames.find((name) => command.args.includes(name));
      return `
${recipe ? settingList(recipe, process.stdout.columns) : `${recipeList()}\n\n"teletrain run <recipe> --help" lists a recipe's settings.`}

Examples:
  teletrain run digits-pixel-rnn --quick
  teletrain run imdb-simple-rnn --on colab --set epochs=5 --set patience=2
  teletrain run imdb-lstm --json | jq 'select(.type == "epoch")'`;
    })
    .action(async (recipeName: string, options: RunOptions) => {
      const start = await startOptions(recipeName, options);
      if (options.detach) await startAndDetach(context, start);
      else if (context.interactive && !options.plain && !context.output.json)
        await startInDashboard(context, start);
      else await startAndFollow(context, start, options.lostAfter);
    });
}

/** Everything wrong with what was typed is found here, before a worker is started for it. */
async function startOptions(recipeName: string, options: RunOptions): Promise<StartOptions> {
  const recipe = recipeNamed(recipeName).name;
  const settings = Object.fromEntries((options.set ?? []).map(parseSettingText));
  const quick = options.quick ?? false;
  completeSettings(recipe, settings, { quick });
  if (options.on !== undefined && options.dataDir !== undefined) {
    throw new UsageError(
      'data-dir-of-worker',
      'The data folder of a remote worker cannot be chosen here.',
      'Give --data-dir to the "teletrain worker" that runs there.',
    );
  }
  return {
    recipe,
    settings,
    quick,
    ...(options.on === undefined ? {} : { on: options.on }),
    ...(options.dataDir === undefined
      ? {}
      : { dataDir: await existingFolder(options.dataDir, '--data-dir') }),
  };
}

/** Starts a run and follows it without a dashboard. */
export async function startAndFollow(
  context: CommandContext,
  start: StartOptions,
  lostAfterSeconds = 300,
): Promise<void> {
  const signal = context.interruption();
  const client = await context.client();
  const handle = await client.startRun({ ...start, signal, onProgress: sayProgress(context) });
  context.exitCode = await followRun(handle, context.output, {
    signal,
    lostAfterMs: lostAfterSeconds * 1000,
  });
}

async function startInDashboard(context: CommandContext, start: StartOptions): Promise<void> {
  const client = await context.client();
  const starting = new AbortController();
  const interrupt = () => starting.abort(interrupted());
  // Only until the dashboard has the keys: there Ctrl-C is one of them.
  process.once('SIGINT', interrupt);
  const openRun = await client
    .startRun({ ...start, signal: starting.signal, onProgress: sayProgress(context) })
    .finally(() => process.off('SIGINT', interrupt));
  await showDashboard(context, { openRun });
}

async function startAndDetach(context: CommandContext, start: StartOptions): Promise<void> {
  const client = await context.client();
  const handle = await client.startRun({
    ...start,
    signal: context.interruption(),
    onProgress: sayProgress(context),
  });
  const { id, view } = handle;
  await handle.close();
  if (context.output.json)
    context.output.document({ run: id, worker: view.worker, directory: view.directory });
  else {
    context.output.line(id);
    context.output.notice(`Follow it with "teletrain attach ${id}".`);
  }
}

/** Tells how setting up goes, on standard error. */
export function sayProgress(context: CommandContext): (progress: SetupProgress) => void {
  return (progress) => context.output.progress(progress.message);
}
