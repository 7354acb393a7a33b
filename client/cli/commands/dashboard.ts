import type { RunHandle } from '../../session/types.ts';
import type { CommandContext } from '../context.ts';
import { existingFolder } from '../options.ts';
import { startAndFollow } from './run.ts';

/** `teletrain` alone: the dashboard, or without a terminal a quick run on real digits to its end. */
export async function openDashboard(
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

/** The dashboard, from its first screen or with a run that is open or named. */
export async function showDashboard(
  context: CommandContext,
  options: { dataDir?: string; openRun?: RunHandle; run?: string; startWorker?: boolean },
): Promise<void> {
  const client = await context.client();
  // Ink and React are loaded for the dashboard only.
  const { runDashboard } = await import('../../ui/dashboard.tsx');
  context.exitCode = await runDashboard(client, options);
}
