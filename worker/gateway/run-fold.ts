import { isFinal, type RunEvent, type RunState } from '../../shared/events.ts';
import { limits } from '../../shared/limits.ts';

/** What was asked of a run and has not happened yet. */
export type Asked = 'pause' | 'continue' | 'stop-now' | 'stop-epoch';

interface Mark {
  readonly type: 'checkpoint' | 'epoch';
  readonly step: number;
  readonly epoch: number;
  /** Of a checkpoint that an event told of; not of one that a run was brought here with. */
  readonly manifestSha256?: string;
  readonly before: Mark | undefined;
}

/** What a run's events add up to, as far as the gateway has to know. */
export interface RunFold {
  readonly state: RunState;
  readonly reason: string | undefined;
  readonly step: number;
  readonly epoch: number;
  /** As last changed; absent when its settings hold. */
  readonly changed: { readonly epochs?: number; readonly patience?: number };
  readonly asked: Asked | undefined;
  /** It left a checkpoint at some time, or came with one: it never starts over. */
  readonly hasCheckpoint: boolean;
  /** Those that its events tell of as being here: not removed, and not made void. */
  readonly checkpoints: readonly { readonly id: string; readonly step: number }[];
  /** The newest of the checkpoints and ends of epochs up to its step, which tell the epoch of a step. */
  readonly lastMark: Mark | undefined;
  /** When it was last done, which is when its test split was scored; void once it rewinds. */
  readonly done: { readonly step: number; readonly changed: RunFold['changed'] } | undefined;
  /** Restarts of the engine after a crash since the run was last started or resumed by somebody. */
  readonly restarts: number;
  /** Keys of the requests whose effects are among the events, the newest of them. */
  readonly requests: readonly string[];
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
    hasCheckpoint: imported !== undefined,
    checkpoints: [],
    lastMark: imported && {
      ...{ type: 'checkpoint', step: imported.step, epoch: imported.epoch },
      before: undefined,
    },
    done: undefined,
    restarts: 0,
    requests: [],
  };
}

export function foldEvent(fold: RunFold, event: RunEvent): RunFold {
  const { request } = event;
  const after = foldBody(fold, event);
  if (request === undefined) return after;
  // No more can be asked again than are in the ledger.
  return { ...after, requests: [...after.requests, request].slice(-limits.ledgerEntries) };
}

function foldBody(fold: RunFold, event: RunEvent): RunFold {
  switch (event.type) {
    case 'state':
      return {
        ...fold,
        state: event.state,
        reason: event.reason,
        asked: settles(fold.asked, event.state) ? undefined : fold.asked,
        done: event.state === 'done' ? { step: fold.step, changed: fold.changed } : fold.done,
        restarts: restartsAfter(fold.restarts, event.state, event.reason),
      };
    case 'metric':
    case 'sample':
      return reached(fold, event);
    case 'epoch': {
      const { type, step, epoch } = event;
      return { ...reached(fold, event), lastMark: { type, step, epoch, before: fold.lastMark } };
    }
    case 'checkpoint': {
      const { type, id, step, epoch, manifestSha256 } = event;
      return {
        ...reached(fold, event),
        hasCheckpoint: true,
        checkpoints: [...without(fold.checkpoints, id), { id, step }],
        lastMark: { type, step, epoch, manifestSha256, before: fold.lastMark },
      };
    }
    case 'checkpoint-removed':
      return { ...fold, checkpoints: without(fold.checkpoints, event.id) };
    case 'rewind':
      return rewound(fold, event.toStep);
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

function reached(fold: RunFold, { step, epoch }: { step: number; epoch: number }): RunFold {
  return { ...fold, step: Math.max(fold.step, step), epoch: Math.max(fold.epoch, epoch) };
}

/** The epoch is that of the checkpoint gone back to; of any other step, the one after the last that ended. */
function rewound(fold: RunFold, toStep: number): RunFold {
  const lastMark = markBefore(fold.lastMark, ({ step }) => step <= toStep);
  const checkpoint = markBefore(lastMark, ({ type }) => type === 'checkpoint');
  const source = checkpoint?.step === toStep ? checkpoint : undefined;
  const ended = markBefore(lastMark, ({ type }) => type === 'epoch')?.epoch ?? 0;
  const epoch = toStep === 0 ? 0 : Math.min(fold.epoch, source?.epoch ?? ended + 1);
  const done = fold.done && fold.done.step <= toStep ? fold.done : undefined;
  const checkpoints = fold.checkpoints.filter(({ step }) => step <= toStep);
  return { ...fold, step: Math.min(fold.step, toStep), epoch, checkpoints, lastMark, done };
}

function without(checkpoints: RunFold['checkpoints'], removed: string): RunFold['checkpoints'] {
  return checkpoints.filter(({ id }) => id !== removed);
}

/** The newest checkpoint of which a run's events told, of those that no rewind made void. */
export function lastCheckpointOf(
  fold: RunFold,
): { readonly step: number; readonly manifestSha256?: string } | undefined {
  const mark = markBefore(fold.lastMark, ({ type }) => type === 'checkpoint');
  if (!mark) return undefined;
  const { step, manifestSha256 } = mark;
  return { step, ...(manifestSha256 === undefined ? {} : { manifestSha256 }) };
}

/** The newest that is so, from `mark` back. */
function markBefore(mark: Mark | undefined, isSo: (mark: Mark) => boolean): Mark | undefined {
  let found = mark;
  while (found && !isSo(found)) found = found.before;
  return found;
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
