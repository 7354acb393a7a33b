import { type ExitCode, exitCodes, TeletrainError } from '../../shared/errors.ts';
import { eventToJson } from '../../shared/events.ts';
import type { RunHandle, RunView } from '../session/types.ts';
import type { Output } from './output.ts';
import { epochLine, finalLines, headerLine } from './run-text.ts';

export interface FollowOptions {
  /** Ctrl-C: lets go of the run, which goes on. */
  readonly signal: AbortSignal;
  /** Milliseconds without a connection after which the worker is taken for lost. */
  readonly lostAfterMs: number;
}

/**
 * Follows a run to its end: one line an epoch, or with `--json` its events as NDJSON.
 * @returns the exit code that tells how it ended.
 * @throws TeletrainError `worker-lost`; `detached` on Ctrl-C, with how to attach again.
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
    return exitCodeOf(view);
  } catch (error) {
    await stop({ atOnce: true });
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
  return async (options) => {
    if (options?.atOnce) controller.abort();
    await streaming;
  };
}

function printAsItChanges(handle: RunHandle, output: Output): StopFollowing {
  let lastEpochSeq = 0;
  let lastLogTime = 0;
  let header = '';
  let lastNotice = '';
  const notice = (text: string) => {
    if (text === lastNotice) return;
    lastNotice = text;
    output.notice(text);
  };
  const print = () => {
    const { view } = handle;
    const newHeader = headerLine(view);
    if (newHeader !== '' && newHeader !== header) {
      header = newHeader;
      output.line(header);
      for (const difference of view.differs) output.notice(`Differs from before: ${difference}`);
    }
    for (const entry of view.log) {
      if (entry.time <= lastLogTime) continue;
      if (entry.level !== 'info') output.notice(`${entry.level}: ${entry.message}`);
    }
    lastLogTime = view.log.at(-1)?.time ?? lastLogTime;
    for (const epoch of view.epochsDone) {
      if (epoch.seq <= lastEpochSeq) continue;
      lastEpochSeq = epoch.seq;
      output.line(epochLine(view, epoch));
    }
    const { connection } = view;
    if (connection.kind === 'waiting')
      notice(`The worker cannot be reached (${connection.reason}); trying again.`);
    else if (connection.kind === 'connected' && connection.restarted)
      notice('The worker was started anew.');
    else if (connection.kind === 'connected' && lastNotice !== '') notice('Connected again.');
    if (view.state === 'paused')
      notice(`Paused at step ${view.step}; go on with "teletrain resume ${view.record.id}".`);
    if (view.state === 'recovering')
      notice(view.stateMessage ?? 'The engine ended; going on from the last checkpoint.');
  };
  const unsubscribe = handle.subscribe(print);
  print();
  return async (options) => {
    unsubscribe();
    if (!options?.atOnce) print();
  };
}
