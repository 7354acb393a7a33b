import type { CommandContext } from '../context.ts';
import { existingFolder } from '../options.ts';
import { showDashboard } from './dashboard.ts';
import { startAndFollow } from './run.ts';

/** `teletrain` alone: the dashboard, or without a terminal a quick run on real digits to its end. */
export async function runAlone(
  context: CommandContext,
  options: { dataDir?: string },
): Promise<void> {
  const data =
    options.dataDir === undefined
      ? {}
      : { dataDir: await existingFolder(options.dataDir, '--data-dir') };
  if (context.interactive && !context.output.json) {
    await showDashboard(context, { ...data, startWorker: true });
  } else await startAndFollow(context, { recipe: 'digits-pixel-rnn', quick: true, ...data });
}
