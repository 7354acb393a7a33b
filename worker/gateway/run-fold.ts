import { isFinal, type RunEvent, type RunState } from '../../shared/events.ts';

/** What was asked of a run and has not happened yet. */
export type Asked = 'pause' | 'continue' | 'stop-now' | 'stop-epoch';

/** What a run's events add up to, as far as the gateway has to know. */
export interface RunFold {
  readonly state: RunState;
  readonly reason: string | undefined;
  readonly step: number;
  readonly epoch: number;
  /** As last changed while it ran; absent when its settings hold. */
  readonly changed: { readonly epochs?: number; readonly patience?: number };
  readonly asked: Asked | undefined;
  /** Restarts of the engine after a crash since the run was last started or resumed by somebody. */
  readonly restarts: number;
}

/** Reasons of state events that the gateway itself makes. */
export const stateReasons = {
  /** Somebody asked for it. */
  resumed: 'resumed',
  engineCrashed: 'engine-crashed',
  workerRestarted: 'worker-restarted',
  workerStopped: 'worker-stopped',
} as const;

/** A run without events yet: started, or brought here from another worker at this step. */
export function foldOfNew(imported?: {
  step: number;
  epoch: number;
  changed: RunFold['changed'];
}): RunFold {
  return {
    state: imported ? 'interrupted' : 'starting',
    reason: undefined,
    step: imported?.step ?? 0,
    epoch: imported?.epoch ?? 0,
    changed: imported?.changed ?? {},
    asked: undefined,
    restarts: 0,
  };
}

export function foldEvent(fold: RunFold, event: RunEvent): RunFold {
  switch (event.type) {
    case 'state':
      return {
        ...fold,
        state: event.state,
        reason: event.reason,
        asked: settles(fold.asked, event.state) ? undefined : fold.asked,
        restarts: restartsAfter(fold.restarts, event.state, event.reason),
      };
    case 'metric':
    case 'epoch':
    case 'checkpoint':
    case 'sample':
      return {
        ...fold,
        step: Math.max(fold.step, event.step),
        epoch: Math.max(fold.epoch, event.epoch),
      };
    case 'rewind':
      return { ...fold, step: event.toStep };
    case 'change': {
      const { epochs, patience, asked } = event;
      return {
        ...fold,
        changed: {
          ...fold.changed,
          ...(epochs === undefined ? {} : { epochs }),
          ...(patience === undefined ? {} : { patience }),
        },
        asked: asked ?? fold.asked,
      };
    }
    default:
      return fold;
  }
}

/** Whether a state is the effect of what was asked for, or makes it void. */
function settles(asked: Asked | undefined, state: RunState): boolean {
  if (isFinal(state)) return true;
  if (asked === 'pause') return state === 'paused';
  if (asked === 'continue') return state === 'running';
  return false;
}

function restartsAfter(restarts: number, state: RunState, reason: string | undefined): number {
  if (state === 'recovering' && reason === stateReasons.engineCrashed) return restarts + 1;
  return state === 'starting' ? 0 : restarts;
}
