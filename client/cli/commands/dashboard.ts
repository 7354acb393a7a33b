import type { CommandContext } from '../context.ts';
import { existingFolder } from '../options.ts';
import { startAndFollow } from './run.ts';

/** `teletrain` alone: the dashboard, or without a terminal a quick run on real digits to its end. */
export async function openDashboard(
  context: CommandContext,
  options: { dataDir?: string; run?: string },
): Promise<void> {
  const dataDir =
    options.dataDir === undefined ? undefined : await existingFolder(options.dataDir, '--data-dir');
  const data = dataDir === undefined ? {} : { dataDir };
  if (!context.interactive || context.output.json) {
    await startAndFollow(context, { recipe: 'digits-pixel-rnn', quick: true, ...data });
    return;
  }
  const client = await context.client();
  const { runDashboard } = await import('../../ui/dashboard.tsx');
  context.exitCode = await runDashboard(client, {
    ...data,
    ...(options.run === undefined ? {} : { run: options.run }),
  });
}
