import { defaultTimes } from '../../client/session/connection-times.ts';
import { FollowedRun } from '../../client/session/followed-run.ts';
import { PendingRequests } from '../../client/session/pending-requests.ts';
import { FrameSender } from '../../shared/frame-sender.ts';
import { Ledger } from '../../worker/gateway/ledger.ts';
import { Run } from '../../worker/gateway/run.ts';
import { SimulatedDisk } from './simulated-disk.ts';

/** A part of the program that does its work wrongly, as long as it is in place. */
export interface BrokenPart {
  readonly name: string;
  /** What the simulator says of it. */
  readonly seen: RegExp;
  /** Puts it in place; returns how to take it away. */
  readonly put: () => () => void;
}

/** Puts something in the place of a property, and says how to put the property back. */
function replace(owner: object, key: string, descriptor: PropertyDescriptor): () => void {
  const known = Object.getOwnPropertyDescriptor(owner, key);
  Object.defineProperty(owner, key, { ...known, ...descriptor });
  return () => Object.defineProperty(owner, key, known ?? {});
}

const { take } = FollowedRun.prototype;
const next = Object.getOwnPropertyDescriptor(FollowedRun.prototype, 'next')?.get;
const fold = Object.getOwnPropertyDescriptor(Run.prototype, 'fold')?.get;

export const brokenParts: readonly BrokenPart[] = [
  {
    name: 'nothing that is told was synced',
    seen: /was told and is lost|is not whole|not everything has arrived|did not start/,
    put: () => replace(SimulatedDisk.prototype, 'sync', { value: () => {} }),
  },
  {
    // Either of the two alone makes up for the other.
    name: 'the ledger forgets what was done, and so do the journals',
    seen: /done twice|was answered with/,
    put: () => {
      const forget = replace(Ledger.prototype, 'begin', { value: () => ({ kind: 'new' }) });
      const forgetKeys = replace(Run.prototype, 'fold', {
        get(this: Run) {
          return { ...fold?.call(this), requests: [] };
        },
      });
      return () => {
        forgetKeys();
        forget();
      };
    },
  },
  {
    name: 'an event that was had is handed on again after a reconnect',
    seen: /event \d+ cannot follow event \d+/,
    put: () =>
      replace(FollowedRun.prototype, 'take', {
        value(this: FollowedRun, seq: number) {
          const verdict = take.call(this, seq);
          return verdict === 'leave' ? 'deliver' : verdict;
        },
      }),
  },
  {
    name: 'events are asked for from one too late on',
    seen: /not everything has arrived|cannot follow/,
    put: () =>
      replace(FollowedRun.prototype, 'next', {
        get(this: FollowedRun) {
          return next?.call(this) + 1;
        },
      }),
  },
  {
    name: 'a request is not sent again after a cut',
    seen: /not everything has arrived/,
    put: () => replace(PendingRequests.prototype, 'disconnected', { value: () => {} }),
  },
  {
    name: 'a dead connection is not noticed',
    seen: /shows "connected" and has heard nothing/,
    put: () => replace(defaultTimes, 'silenceMs', { value: Number.POSITIVE_INFINITY }),
  },
  {
    name: 'what waits in a socket is not looked at',
    seen: /a socket holds \d+ bytes/,
    put: () => replace(FrameSender.prototype, 'hasRoom', { value: () => true }),
  },
];
