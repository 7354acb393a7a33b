import type { TeletrainClient } from '../../client/session/types.ts';
import { exitCodes } from '../../shared/errors.ts';
import { ScriptedClient, type ScriptedRun } from '../unit/client/ui/scripted-client.ts';
import { digitsRun, seeded } from '../unit/client/ui/scripts.ts';

/**
 * The dashboard as a process of its own, on a scripted run: what the tests on a real terminal start.
 * `argv[2]` is what it does: `still` (nothing changes), `live` (a metric every few milliseconds) or
 * `crash` (the client has a fault).
 */

// As the command line does: chalk looks at this when it is loaded.
if (process.env.NO_COLOR) process.env.FORCE_COLOR = '0';

const { runDashboard } = await import('../../client/ui/dashboard.tsx');

class CrashingClient extends ScriptedClient {
  override async runs(): Promise<never> {
    throw new TypeError('a fault of the program');
  }
}

const mode = process.argv[2] ?? 'still';
const client: TeletrainClient = mode === 'crash' ? new CrashingClient() : new ScriptedClient();
const run: ScriptedRun | undefined = mode === 'home' || mode === 'crash' ? undefined : digitsRun();
if (run && mode === 'still') run.view.state = 'paused';
let feeding: NodeJS.Timeout | undefined;
if (run && mode === 'live') {
  const random = seeded(3);
  let step = run.view.step;
  feeding = setInterval(() => {
    for (let more = 0; more < 5; more += 1) {
      step += 1;
      run.push({
        type: 'metric',
        step,
        epoch: Math.ceil(step / 780),
        split: 'train',
        per: 'step',
        name: 'loss',
        value: 82 + random() * 9,
      });
    }
    run.view.checkpoints.length > 0 &&
      run.checkpointHome('step-000002500', {
        state: 'arriving',
        received: (step * 977) % 634_880,
        bytesPerSecond: 1_400_000,
      });
  }, 5);
}
try {
  const code = await runDashboard(client, run ? { openRun: run } : {});
  clearInterval(feeding);
  process.exitCode = code;
} catch (error) {
  clearInterval(feeding);
  process.stdout.write(`crashed: ${String(error)}\n`);
  process.exitCode = exitCodes.failed;
}
