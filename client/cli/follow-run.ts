import { type ExitCode, exitCodes, TeletrainError } from '../../shared/errors.ts';
import { eventToJson } from '../../shared/events.ts';
import type { RunHandle, RunView } from '../session/types.ts';
import type { Output } from './output.ts';
import { RunPrinter } from './run-printer.ts';
import { finalLines } from './run-text.ts';

export interface FollowOptions {
  /** Ctrl-C: lets go of the run, which goes on. */
  readonly signal: AbortSignal;
  /** Milliseconds without a connection after which the worker is taken for lost. */
  readonly lostAfterMs: number;
}

/**
 * Follows a run to its end: one line an epoch, or with `--json` its events as NDJSON.
 * @returns the exit code that tells how it ended.
 * @throws TeletrainError `worker-lost`; `checkpoint-not-home` at the end of a run whose checkpoints
 *   did not all arrive; `detached` on Ctrl-C, with how to attach again.
 */
export async function followRun(
  handle: RunHandle,
  output: Output,
  options: FollowOptions,
): Promise<ExitCode> {
  const stop = output.json ? streamEvents(handle, output) : printAsItChanges(handle, output);
  try {
    const view = await handle.finished(options);
    await stop();
    if (!output.json) for (const line of finalLines(view)) output.line(line);
    const missing = notHome(view);
    if (missing) throw missing;
    return exitCodeOf(view);
  } catch (error) {
    // What ended the wait is told; the stream would only say the same again.
    await stop({ atOnce: true }).catch(() => {});
    if (options.signal.aborted) throw detached(handle.id);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Patience reached is a normal end; a run whose worker went away is a lost worker. */
export function exitCodeOf(view: Pick<RunView, 'state'>): ExitCode {
  if (view.state === 'done') return exitCodes.done;
  if (view.state === 'stopped') return exitCodes.stoppedEarly;
  if (view.state === 'interrupted') return exitCodes.workerLost;
  return exitCodes.failed;
}

/** That a checkpoint is not at home, which no later line would tell: it was refused there, or nobody could be asked for it. */
function notHome(view: RunView): TeletrainError | undefined {
  const missing = view.checkpoints.flatMap(({ id, home, removedOnWorker }) => {
    if (home.state === 'failed') return [{ id, ...home }];
    return home.state === 'absent' && !removedOnWorker ? [{ id, ...notAsked(view) }] : [];
  });
  const last = missing.at(-1);
  if (!last) return undefined;
  const ids = missing.map(({ id }) => id).join(', ');
  const subject = missing.length === 1 ? `Checkpoint ${ids}` : `Checkpoints ${ids}`;
  const code = exitCodeOf(view);
  return new TeletrainError(
    'checkpoint-not-home',
    `${subject} did not come home: ${last.message}`,
    {
      hint: `${last.hint} Then fetch it with "teletrain checkpoints get ${view.record.id} ${last.id}".`,
      exitCode: code === exitCodes.done ? exitCodes.failed : code,
    },
  );
}

function notAsked({ worker, connection }: RunView): { message: string; hint: string } {
  const why = connection.kind === 'offline' ? ` (${connection.reason})` : '';
  return {
    message: `its worker${worker === undefined ? '' : ` "${worker}"`} cannot be reached${why}.`,
    hint: 'Start the worker again, or mend the connection.',
  };
}

function detached(id: string): TeletrainError {
  return new TeletrainError('detached', `Detached from ${id}, which goes on.`, {
    hint: `See it again with "teletrain attach ${id}", end it with "teletrain stop ${id}".`,
    exitCode: exitCodes.interrupted,
  });
}

type StopFollowing = (options?: { atOnce?: boolean }) => Promise<void>;

function streamEvents(handle: RunHandle, output: Output): StopFollowing {
  const controller = new AbortController();
  const streaming = (async () => {
    for await (const event of handle.events({ signal: controller.signal })) {
      const picture =
        event.type === 'sample'
          ? handle.view.samples.find((sample) => sample.seq === event.seq)?.file
          : undefined;
      output.record(eventToJson(event, picture));
    }
  })();
  // It may fail long before anybody waits for it; `stop` tells.
  streaming.catch(() => {});
  return async (options) => {
    if (options?.atOnce) controller.abort();
    await streaming;
  };
}

function printAsItChanges(handle: RunHandle, output: Output): StopFollowing {
  const printer = new RunPrinter(output);
  const print = () => printer.print(handle.view);
  const unsubscribe = handle.subscribe(print);
  print();
  return async (options) => {
    unsubscribe();
    if (!options?.atOnce) print();
  };
}
