import process from 'node:process';
import type { RunHandle } from '../../session/types.ts';
import type { CommandContext } from '../context.ts';

/** The dashboard, from its first screen or with a run that is open or named. */
export async function showDashboard(
  context: CommandContext,
  options: { dataDir?: string; openRun?: RunHandle; run?: string; startWorker?: boolean },
): Promise<void> {
  const client = await context.client();
  // Ink and React are loaded for the dashboard only.
  const [{ runDashboard }, { askBackground, backgroundOfEnvironment }] = await Promise.all([
    import('../../ui/dashboard.tsx'),
    import('../../ui/style/background.ts'),
  ]);
  const asks = process.env.TERM !== 'linux' && process.env.INK_SCREEN_READER !== 'true';
  const background =
    backgroundOfEnvironment(process.env) ??
    (asks ? await askBackground(process.stdin, process.stdout) : undefined);
  context.exitCode = await runDashboard(client, {
    ...options,
    ...(background === undefined ? {} : { background }),
  });
}
