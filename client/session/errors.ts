import { exitCodes, TeletrainError, UsageError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/events.ts';
import { type History, lifeOf } from '../../shared/lives.ts';
import type { RunSummary } from '../../shared/run.ts';

/** Errors of the session that are thrown at more than one place, and those that crossed the wire. */

/** @param run that was followed there, which is not lost with the way to it. */
export function workerLost(why: string, run?: string): TeletrainError {
  return new TeletrainError(
    'worker-lost',
    `The worker cannot be reached: ${why.replace(/\.$/, '')}.`,
    {
      hint:
        run === undefined
          ? 'See that it runs, that its address is right and that the way to it is open.'
          : `See that it runs and that the way to it is open; the run goes on there, and "teletrain attach ${run}" finds it again.`,
      exitCode: exitCodes.workerLost,
    },
  );
}

export function connectionClosed(): TeletrainError {
  return new TeletrainError(
    'connection-closed',
    'The connection was closed before the worker answered.',
    {
      hint: 'Try it again.',
    },
  );
}

/** What an aborted wait rejects with: the reason given to the signal where it is one for users. */
export function cancelled(what: string, signal?: AbortSignal): TeletrainError {
  if (signal?.reason instanceof TeletrainError) return signal.reason;
  return new TeletrainError('cancelled', `${what} was cancelled.`, {
    hint: 'Start it again when you want it; what arrived so far is kept.',
    exitCode: exitCodes.interrupted,
  });
}

export function offlineError(reason: string): TeletrainError {
  return new TeletrainError('offline', `The run is shown from this machine's disk: ${reason}.`, {
    hint: 'Open it where its worker can be reached, or resume it on another: teletrain resume <run> --on NAME.',
  });
}

export function unknownRun(id: string): UsageError {
  return new UsageError(
    'unknown-run',
    `There is no run "${id}".`,
    'See them with: teletrain runs.',
  );
}

/** Of a client that never followed one: an observer, before it names what trains. */
export function noRunYet(): UsageError {
  return new UsageError(
    'unknown-run',
    'No run is known here yet.',
    'Name one that trains on a worker, which teletrain workers shows, or start one.',
  );
}

export function unknownWorker(name: string): UsageError {
  return new UsageError(
    'not-paired',
    `No worker named "${name}" is known here.`,
    'Pair with it: teletrain connect <url>; see them with: teletrain workers.',
  );
}

export function unknownCheckpoint(id: string): UsageError {
  return new UsageError(
    'unknown-checkpoint',
    `The run has no checkpoint "${id}".`,
    'See them with: teletrain checkpoints <run>.',
  );
}

export function refusedError(refusal: {
  code: string;
  message: string;
  hint: string;
}): TeletrainError {
  return new TeletrainError(refusal.code, refusal.message, { hint: refusal.hint });
}

/**
 * What the worker has of the run is not how this machine's copy goes on: the run went on elsewhere
 * meanwhile, or the worker's disk lost a part of it.
 */
export function runDiverged(
  id: string,
  worker: string,
  there: RunSummary,
  here: History,
): TeletrainError {
  const copies = `its copy ends with ${eventName(there)} and this machine's with ${eventName(here)}`;
  const isActive = !isFinal(there.state);
  return new TeletrainError(
    'run-diverged',
    `Run "${id}" on worker "${worker}" is not the one that this machine knows: ${copies}.`,
    {
      hint: isActive
        ? `End that one with "teletrain workers stop ${worker}", or leave it and go on from this machine's copy elsewhere: teletrain resume ${id} --on NAME.`
        : `Go on from this machine's copy on another worker with "teletrain resume ${id} --on NAME", or on this one with --replace, which moves the worker's copy aside.`,
    },
  );
}

/** The worker's copy goes on from events that this machine never got and cannot get there. */
export function eventsMissing(
  id: string,
  worker: string,
  firstSeq: number,
  have: number,
): TeletrainError {
  return new TeletrainError(
    'events-missing',
    `Worker "${worker}" has events of run "${id}" from ${firstSeq} on, and this machine those up to ${have}.`,
    {
      hint: `Use the machine from which the run was moved there, or give up this copy of it: teletrain clean --run ${id}.`,
    },
  );
}

/** The worker's disk took no more events, so none tells of the run's end. */
export const notResumedThere = (run: string, worker: string): TeletrainError =>
  new TeletrainError(
    'not-resumed',
    `Run "${run}" was brought to worker "${worker}" and does not train there yet.`,
    { hint: `Go on with it: teletrain resume ${run}.` },
  );

export function journalFailedThere(id: string, worker: string): TeletrainError {
  return new TeletrainError(
    'journal-failed',
    `Run "${id}" ended on worker "${worker}", whose disk took no more of its events.`,
    {
      hint: `Make room on the worker's disk, then go on from its last checkpoint: teletrain resume ${id}.`,
    },
  );
}

/** Another program of this machine moved the run, and what still comes from its old worker is another life. */
export function runMoved(id: string): TeletrainError {
  return new TeletrainError(
    'run-diverged',
    `Run "${id}" went on elsewhere meanwhile; what this worker still says of it is not kept.`,
    { hint: `Open it again: teletrain attach ${id}.` },
  );
}

function eventName(history: History): string {
  const life = lifeOf(history, history.lastSeq);
  return `event ${history.lastSeq}${life === undefined ? '' : ` of life ${life}`}`;
}

/** Codes by which a worker says that the user asked for what cannot be. */
const usageCodes = new Set([
  'unknown-recipe',
  'unknown-setting',
  'bad-setting',
  'unknown-run',
  'unknown-checkpoint',
  'bad-params',
]);

export function fromWire(error: { code: string; message: string; hint: string }): TeletrainError {
  return usageCodes.has(error.code)
    ? new UsageError(error.code, error.message, error.hint)
    : new TeletrainError(error.code, error.message, { hint: error.hint });
}
