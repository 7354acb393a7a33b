import { exitCodes, TeletrainError, UsageError } from '../../shared/errors.ts';

/** Errors of the session that are thrown at more than one place, and those that crossed the wire. */

export function workerLost(why: string): TeletrainError {
  return new TeletrainError(
    'worker-lost',
    `The worker cannot be reached: ${why.replace(/\.$/, '')}.`,
    {
      hint: 'See that it runs and that the way to it is open; the run goes on there, and "teletrain attach" finds it again.',
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

/** The worker has fewer events than came from it: its disk lost some, and numbers them anew. */
export function runDiverged(id: string): TeletrainError {
  return new TeletrainError(
    'run-diverged',
    `The worker has lost events of run "${id}" that this machine has.`,
    {
      hint: 'Go on from the last checkpoint at home on a fresh worker: teletrain resume <run> --on NAME.',
    },
  );
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
