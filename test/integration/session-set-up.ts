import { createClient } from '../../client/session/client.ts';
import { type ConnectionTimes, defaultTimes } from '../../client/session/connection-times.ts';
import { nodeSystem } from '../../client/session/system.ts';
import type { RunHandle, RunView } from '../../client/session/types.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { BadLine } from './proxy.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

/** As in earnest, but quicker. */
export const quickTimes: ConnectionTimes = {
  ...defaultTimes,
  firstDelayMs: 10,
  longestDelayMs: 50,
  settledMs: 1_000,
};

/** A test that runs out of time leaves no worker behind. */
export const endsWithTest = ['--parent-watch'];

/** The small engine computes nothing, so any recipe's name does. */
export const recipe = 'digits-pixel-rnn';

/** A worker with the small engine, a bad line to it, and a client that is paired through the line. */
export async function pairedClient(
  options: {
    environment?: Record<string, string>;
    times?: Partial<ConnectionTimes>;
    clock?: Clock;
  } = {},
) {
  const stack = new AsyncDisposableStack();
  const { environment = {}, times = {}, clock = systemClock } = options;
  const workerHome = stack.use(await temporaryHome());
  const home = stack.use(await temporaryHome());
  const worker = stack.use(new WorkerProcess(workerHome.path, { args: endsWithTest, environment }));
  const { url, code } = await worker.listening();
  const line = stack.use(await BadLine.to(url));
  const client = createClient({
    home: home.path,
    times: { ...quickTimes, ...times },
    system: { ...nodeSystem, clock },
  });
  stack.defer(() => client.close());
  await client.connectWorker(line.url, { code, name: 'colab' });
  return {
    worker,
    workerHome: workerHome.path,
    home: home.path,
    line,
    client,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Resolves when the view fulfils the condition; looked at after each change. */
export async function until(
  handle: RunHandle,
  condition: (view: RunView) => boolean,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = () => condition(handle.view) && resolve();
  const stop = handle.subscribe(look);
  const timer = setTimeout(() => {
    const { state, lastSeq, connection } = handle.view;
    reject(new Error(`in vain: ${JSON.stringify({ state, lastSeq, connection })}`));
  }, 20_000);
  look();
  await promise.finally(() => {
    clearTimeout(timer);
    stop();
  });
}
