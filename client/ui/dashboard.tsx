import process from 'node:process';
import { render } from 'ink';
import { type ExitCode, exitCodes } from '../../shared/errors.ts';
import type { RunHandle, TeletrainClient } from '../session/types.ts';
import { App } from './app.tsx';
import { Dashboard } from './state/dashboard.ts';
import { closingLines } from './state/summary.ts';
import { type Environment, lookOfEnvironment } from './style/look.ts';

export interface RunDashboardOptions {
  /** A run that is open already, to begin with. It is closed when the dashboard is left. */
  readonly openRun?: RunHandle;
  /** The name of a run to begin with, or `last`. Default: the dashboard begins at home. */
  readonly run?: string;
  /** Where the local worker finds datasets. */
  readonly dataDir?: string;
  /** @default process.stdin */
  readonly stdin?: NodeJS.ReadStream;
  /** @default process.stdout */
  readonly stdout?: NodeJS.WriteStream;
  /** Decides colours and characters. @default process.env */
  readonly env?: Environment;
  /** Told how long each frame took to draw, in milliseconds. */
  readonly onFrame?: (milliseconds: number) => void;
}

/**
 * Ink draws again at most this often. Data is shown ten times a second; a little more lets keys
 * through at once.
 */
const framesPerSecond = 12;

/**
 * Shows the dashboard until the user leaves it. Runs go on; the client stays open.
 * @returns what the process should end with: 0, that of a run that is over, or 130 after Ctrl-C.
 */
export async function runDashboard(client: TeletrainClient, options: RunDashboardOptions = {}): Promise<ExitCode> {
  const stdin = options.stdin ?? process.stdin;
  const stdout = options.stdout ?? process.stdout;
  const look = lookOfEnvironment(options.env ?? process.env);
  let code: ExitCode = exitCodes.done;
  const dashboard = new Dashboard(client, {
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    onLeave: (left) => {
      code = left;
      instance.unmount();
    },
    onRedraw: () => {
      instance.clear();
      instance.rerender(<App dashboard={dashboard} look={look} />);
    },
  });
  if (options.openRun) dashboard.showRun(options.openRun);
  else if (options.run === undefined) dashboard.refreshHome();
  const instance = render(<App dashboard={dashboard} look={look} />, {
    stdin,
    stdout,
    alternateScreen: true,
    incrementalRendering: true,
    maxFps: framesPerSecond,
    exitOnCtrlC: false,
    patchConsole: false,
    // Who calls this has seen to it that there is a terminal; Ink would take CI=1 for none.
    interactive: true,
    ...(options.onFrame ? { onRender: ({ renderTime }) => options.onFrame?.(renderTime) } : {}),
  });
  if (options.run !== undefined && !options.openRun) dashboard.openRun(options.run);
  try {
    await instance.waitUntilExit();
  } finally {
    dashboard.close();
  }
  if (dashboard.crashed !== undefined) throw dashboard.crashed;
  if (dashboard.screen.kind === 'run') {
    const { handle } = dashboard.screen.feed;
    stdout.write(`${closingLines(handle.view).join('\n')}\n`);
    await handle.close();
  }
  return code;
}
