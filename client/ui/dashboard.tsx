import process from 'node:process';
import { render } from 'ink';
import type { Clock } from '../../shared/clock.ts';
import { type ExitCode, exitCodes } from '../../shared/errors.ts';
import type { RunHandle, TeletrainClient } from '../session/types.ts';
import { App, SpokenApp } from './app.tsx';
import { Speech } from './screens/spoken.ts';
import { Dashboard } from './state/dashboard.ts';
import { prepareLocalWorker } from './state/local-worker.ts';
import { closingLines } from './state/summary.ts';
import type { Background } from './style/background.ts';
import { type Environment, lookOfEnvironment } from './style/look.ts';

export interface RunDashboardOptions {
  /** A run that is open already, to begin with. It is closed when the dashboard is left. */
  readonly openRun?: RunHandle;
  /** The name of a run to begin with, or `last`. Default: the dashboard begins at home. */
  readonly run?: string;
  /** At home, the worker of this machine is started at once, behind the screen. Default: with the first run. */
  readonly startWorker?: boolean;
  /** Where the local worker finds datasets. */
  readonly dataDir?: string;
  /** That of the client, whose times are shown. @default the machine's */
  readonly clock?: Clock;
  /** @default process.stdin */
  readonly stdin?: NodeJS.ReadStream;
  /** @default process.stdout */
  readonly stdout?: NodeJS.WriteStream;
  /** Decides colours and characters. @default process.env */
  readonly env?: Environment;
  /** What the terminal said of its background. @default dark, where `env` says nothing either */
  readonly background?: Background;
  /** Sentences instead of a picture. @default the variable INK_SCREEN_READER is `true` */
  readonly screenReader?: boolean;
  /** Told how long each frame took to draw and to turn into what is written, in milliseconds. */
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
export async function runDashboard(
  client: TeletrainClient,
  options: RunDashboardOptions = {},
): Promise<ExitCode> {
  const stdin = options.stdin ?? process.stdin;
  const stdout = options.stdout ?? process.stdout;
  const environment = options.env ?? process.env;
  const look = lookOfEnvironment(environment, process.platform, options.background);
  const spoken = options.screenReader ?? environment.INK_SCREEN_READER === 'true';
  const speech = new Speech();
  let code: ExitCode = exitCodes.done;
  let drawing = 0;
  const app = () =>
    spoken ? (
      <SpokenApp dashboard={dashboard} speech={speech} />
    ) : (
      <App
        dashboard={dashboard}
        look={look}
        onDrawn={(milliseconds) => (drawing += milliseconds)}
      />
    );
  const dashboard = new Dashboard(client, {
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    onLeave: (left) => {
      code = left;
      instance.unmount();
    },
    onRedraw: () => {
      instance.clear();
      instance.rerender(app());
    },
  });
  if (options.openRun) dashboard.showRun(options.openRun);
  else if (options.run === undefined) {
    dashboard.refreshHome();
    if (options.startWorker) prepareLocalWorker(dashboard);
  }
  const instance = render(app(), {
    stdin,
    stdout,
    // A screen reader follows the ordinary screen.
    alternateScreen: !spoken,
    isScreenReaderEnabled: spoken,
    incrementalRendering: true,
    maxFps: framesPerSecond,
    exitOnCtrlC: false,
    patchConsole: false,
    // Who calls this has seen to it that there is a terminal; Ink would take CI=1 for none.
    interactive: true,
    onRender: ({ renderTime }) => {
      options.onFrame?.(drawing + renderTime);
      drawing = 0;
    },
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
