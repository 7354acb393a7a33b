import { exitCodes } from '../../shared/errors.ts';
import type { RunHandle, RunView } from '../session/types.ts';
import type { CommandContext } from './context.ts';

export interface ControlOptions {
  /** What asks the worker. */
  readonly ask: (handle: RunHandle) => Promise<void>;
  /** When it has taken effect. */
  readonly settled: (view: RunView) => boolean;
  /** What then is printed. */
  readonly said: (view: RunView) => string;
  /** Longest time to wait for a step or an epoch to end. @default 120,000 ms */
  readonly patienceMs?: number;
}

/**
 * Opens a run, asks its worker for one thing and waits until that shows. Where it does not show in
 * time the exit code says so: a script must not take it for done.
 */
export async function controlRun(
  context: CommandContext,
  run: string,
  options: ControlOptions,
): Promise<void> {
  const client = await context.client();
  const handle = await client.openRun(run);
  try {
    await options.ask(handle);
    const settled = await waitUntil(handle, options, context.interruption());
    const { view } = handle;
    if (!settled) context.exitCode = exitCodes.failed;
    if (context.output.json) {
      context.output.document({
        run: handle.id,
        state: view.state,
        step: view.step,
        epoch: view.epoch,
        epochs: view.epochs,
        patience: view.patience,
        settled,
      });
    } else {
      context.output.line(
        settled ? options.said(view) : `Asked ${handle.id}; it is still ${view.state}.`,
      );
    }
  } finally {
    await handle.close();
  }
}

/** True when it came to be so; false when it took too long. Ctrl-C ends the wait with its error. */
function waitUntil(
  handle: RunHandle,
  { settled: condition, patienceMs = 120_000 }: ControlOptions,
  signal: AbortSignal,
): Promise<boolean> {
  if (condition(handle.view)) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    const end = () => {
      unsubscribe();
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const abort = () => {
      end();
      reject(signal.reason);
    };
    const unsubscribe = handle.subscribe(() => {
      if (!condition(handle.view)) return;
      end();
      resolve(true);
    });
    const timer = setTimeout(() => {
      end();
      resolve(false);
    }, patienceMs);
    signal.addEventListener('abort', abort);
  });
}
