import { type EventBody, isFinal } from '../../shared/events.ts';
import { limits } from '../../shared/limits.ts';
import type { WireError } from '../../shared/messages.ts';
import { type RunFold, stateReasons } from './run-fold.ts';

type StateEvent = Extract<EventBody, { type: 'state' }>;

export type Recovery =
  /** Start the engine again after `waitMs`, from the run's last checkpoint. */
  | { readonly kind: 'restart'; readonly event: StateEvent; readonly waitMs: number }
  /** The run ends in this state. */
  | { readonly kind: 'settle'; readonly event: StateEvent }
  /** It is as it should be. */
  | { readonly kind: 'leave' };

const firstWaitMs = 1_000;

/** What becomes of the active run when its engine ended by itself. @param how e.g. "was killed by SIGKILL". */
export function afterEngineCrash(fold: RunFold, how: string): Recovery {
  if (isFinal(fold.state)) return { kind: 'leave' };
  const reason = stateReasons.engineCrashed;
  if (fold.asked === 'stop-now') {
    return settled(
      'stopped',
      'stop-now',
      `The engine ${how} while the run was being stopped; its last checkpoint is whole.`,
    );
  }
  if (isToStopPaused(fold)) {
    return settled(
      'stopped',
      'stop-epoch',
      `The engine ${how} while the run, which was paused, was being stopped; its last checkpoint is whole.`,
    );
  }
  // It holds nothing that its checkpoint does not; when the run goes on, so does an engine.
  if (fold.state === 'paused' && fold.asked !== 'continue') return { kind: 'leave' };
  if (fold.restarts >= limits.engineRestarts) {
    return settled(
      'failed',
      reason,
      `The engine ${how}, after it had been started again ${fold.restarts} times.`,
    );
  }
  const waitMs = firstWaitMs * 2 ** fold.restarts;
  const message = `The engine ${how}; it is started again in ${waitMs / 1000} s, restart ${fold.restarts + 1} of ${limits.engineRestarts}.`;
  return {
    kind: 'restart',
    waitMs,
    event: { type: 'state', state: 'recovering', reason, message },
  };
}

/** What becomes of the active run when no engine can work here. */
export function afterUnusableEngine({ code, message, hint }: WireError): Recovery {
  return settled('failed', code, `${message} ${hint}`);
}

/** What becomes of a run when the gateway starts and finds it in this state. */
export function afterWorkerRestart(fold: RunFold, recover: boolean): Recovery {
  const reason = stateReasons.workerRestarted;
  if (isFinal(fold.state)) return { kind: 'leave' };
  if (fold.asked === 'stop-now') {
    return settled(
      'stopped',
      'stop-now',
      'The worker ended before the run was stopped; its last checkpoint is whole.',
    );
  }
  if (isToStopPaused(fold)) {
    return settled(
      'stopped',
      'stop-epoch',
      'The worker ended before the run, which was paused, was stopped; its last checkpoint is whole.',
    );
  }
  if (!recover) {
    return settled(
      'interrupted',
      reason,
      'The worker was started anew and told not to go on by itself.',
    );
  }
  if (fold.state === 'paused' && fold.asked !== 'continue') return { kind: 'leave' };
  if (fold.asked === 'pause') {
    return settled(
      'paused',
      reason,
      'The worker was started anew; the run is paused at its last checkpoint.',
    );
  }
  const message = 'The worker was started anew; the run goes on from its last checkpoint.';
  return {
    kind: 'restart',
    waitMs: 0,
    event: { type: 'state', state: 'recovering', reason, message },
  };
}

/** Nothing would take it on to the end of its epoch. */
const isToStopPaused = ({ state, asked }: RunFold): boolean =>
  state === 'paused' && asked === 'stop-epoch';

function settled(state: StateEvent['state'], reason: string, message: string): Recovery {
  return { kind: 'settle', event: { type: 'state', state, reason, message } };
}
