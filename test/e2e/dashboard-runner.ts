import type { TeletrainClient } from '../../client/session/types.ts';
import { exitCodes } from '../../shared/errors.ts';
import { live } from '../unit/client/ui/live-run.ts';
import { ScriptedClient } from '../unit/client/ui/scripted-client.ts';
import type { ScriptedRun } from '../unit/client/ui/scripted-run.ts';
import { digitsRun, seeded } from '../unit/client/ui/scripts.ts';

/**
 * The dashboard as a process of its own, on a scripted run: what the tests on a real terminal start.
 * `argv[2]` is what it does: `still` (nothing changes), `live` (a metric every few milliseconds) or
 * `crash` (the client has a fault).
 */

// As the command line does: chalk and React look at these when they are loaded.
if (process.env.NO_COLOR) process.env.FORCE_COLOR = '0';
process.env.NODE_ENV ??= 'production';

if (process.env.FRAMES) {
  // Frames are timed by what this thread computed, so that it does not count what else the machine does.
  const threadTime = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  Object.defineProperty(performance, 'now', { value: threadTime });
}

const { runDashboard } = await import('../../client/ui/dashboard.tsx');

class CrashingClient extends ScriptedClient {
  override async runs(): Promise<never> {
    throw new TypeError('a fault of the program');
  }
}

const mode = process.argv[2] ?? 'still';
const client: TeletrainClient = mode === 'crash' ? new CrashingClient() : new ScriptedClient();
const run = mode === 'home' || mode === 'crash' ? undefined : digitsRun();
if (run) live(run);
if (mode === 'still') run?.push({ type: 'state', state: 'paused' });

/** A thousand events a second: five metrics every 5 ms, and a download that goes on. */
function feed(training: ScriptedRun): NodeJS.Timeout {
  const random = seeded(3);
  let step = training.view.step;
  return setInterval(() => {
    for (let more = 0; more < 5; more += 1) {
      step += 1;
      training.push({
        type: 'metric',
        step,
        epoch: Math.ceil(step / 780),
        split: 'train',
        per: 'step',
        name: 'loss',
        value: 82 + random() * 9,
      });
    }
    training.checkpointHome('step-000002500', {
      state: 'arriving',
      received: (step * 977) % 634_880,
      bytesPerSecond: 1_400_000,
    });
  }, 5);
}

const feeding = run && mode === 'live' ? feed(run) : undefined;
const frames: number[] = [];
try {
  process.exitCode = await runDashboard(client, {
    ...(run ? { openRun: run } : {}),
    onFrame: (milliseconds) => frames.push(milliseconds),
  });
} catch (error) {
  process.stdout.write(`crashed: ${String(error)}\n`);
  process.exitCode = exitCodes.failed;
} finally {
  clearInterval(feeding);
}
if (process.env.FRAMES) {
  const sorted = frames.toSorted((a, b) => a - b);
  process.stdout.write(
    `frames ${sorted.length} p95 ${(sorted[Math.floor(sorted.length * 0.95)] ?? 0).toFixed(1)}\n`,
  );
}
