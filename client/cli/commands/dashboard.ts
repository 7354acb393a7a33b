import type { RunHandle } from '../../session/types.ts';
import type { CommandContext } from '../context.ts';

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
