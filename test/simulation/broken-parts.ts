import { defaultTimes } from '../../client/session/connection-times.ts';
import { FollowedRun } from '../../client/session/followed-run.ts';
import { PendingRequests } from '../../client/session/pending-requests.ts';
import { RunSession } from '../../client/session/run-session.ts';
import { RunStore } from '../../client/session/run-store.ts';
import { WorkerLink } from '../../client/session/worker-link.ts';
import { FrameSender } from '../../shared/frame-sender.ts';
import { limits } from '../../shared/limits.ts';
import { TensorStore } from '../../worker/engine/tensors/tensor-store.ts';
import { Ledger } from '../../worker/gateway/ledger.ts';
import { Run } from '../../worker/gateway/run.ts';
import { GatewayTensorSession } from '../../worker/gateway/tensor-session.ts';
import { TensorSessions } from '../../worker/gateway/tensor-sessions.ts';
import { Uploads } from '../../worker/gateway/uploads.ts';
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
const { detach } = RunSession.prototype;
const { setPlace } = RunStore.prototype;
const { sendCommands } = WorkerLink.prototype;
const { open: openTensors } = TensorSessions.prototype;
const { receive, results } = GatewayTensorSession.prototype;
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
  {
    name: 'a run that goes to another worker is still followed at the old one',
    seen: /not everything has arrived|cannot follow|where the worker has/,
    put: () =>
      replace(RunSession.prototype, 'detach', {
        value(this: RunSession, reason: string) {
          if (!reason.includes('another worker')) detach.call(this, reason);
        },
      }),
  },
  {
    name: 'where a run is now is forgotten when it moves',
    seen: /not everything has arrived|where the worker has/,
    put: () =>
      replace(RunStore.prototype, 'setPlace', {
        async value(this: RunStore, ...[run, place]: Parameters<RunStore['setPlace']>) {
          if ((await this.place(run)) === undefined) await setPlace.call(this, run, place);
        },
      }),
  },
  {
    name: 'a checkpoint that was brought is said to be there and is not',
    seen: /not everything has arrived/,
    put: () => replace(Uploads.prototype, 'commit', { value: async () => {} }),
  },
  {
    // Either of the two alone makes up for the other.
    name: 'a batch that is sent again after a cut is done again',
    seen: /session ended: .*in use|was told .* where/,
    put: () => {
      const numbers = new WeakMap<GatewayTensorSession, number>();
      const sendAgain = replace(TensorSessions.prototype, 'open', {
        async value(this: TensorSessions, ...given: Parameters<TensorSessions['open']>) {
          return { ...(await openTensors.apply(this, given)), received: 0 };
        },
      });
      const doAgain = replace(GatewayTensorSession.prototype, 'receive', {
        value(
          this: GatewayTensorSession,
          ...[header, ...rest]: Parameters<GatewayTensorSession['receive']>
        ) {
          const number = header.number === 0 ? 0 : (numbers.get(this) ?? 0) + 1;
          if (number > 0) numbers.set(this, number);
          receive.call(this, { ...header, number }, ...rest);
        },
      });
      return () => {
        doAgain();
        sendAgain();
      };
    },
  },
  {
    name: 'a batch that found no room is taken for sent',
    seen: /session ended: .*came where|not everything has arrived/,
    put: () =>
      replace(WorkerLink.prototype, 'sendCommands', {
        value(this: WorkerLink, ...given: Parameters<WorkerLink['sendCommands']>) {
          sendCommands.apply(this, given);
          return true;
        },
      }),
  },
  {
    name: 'a part of a download is dropped',
    seen: /session ended: .*out of order|not everything has arrived/,
    put: () => {
      let parts = 0;
      return replace(GatewayTensorSession.prototype, 'results', {
        value(
          this: GatewayTensorSession,
          ...[taken, payload, release]: Parameters<GatewayTensorSession['results']>
        ) {
          if (payload.byteLength >= limits.chunkBytes) parts += 1;
          const isDropped = payload.byteLength >= limits.chunkBytes && parts % 3 === 2;
          results.call(this, taken, isDropped ? new Uint8Array(0) : payload, release);
        },
      });
    },
  },
  {
    name: 'a tensor session that is gone is silently started anew',
    seen: /session ended: .*came where|was told .* where|not everything has arrived/,
    put: () =>
      replace(TensorSessions.prototype, 'open', {
        value(
          this: TensorSessions,
          ...[client, params, outlet]: Parameters<TensorSessions['open']>
        ) {
          return openTensors.call(this, client, { ...params, resume: false }, outlet);
        },
      }),
  },
  {
    name: 'a tensor session whose program is gone is kept for ever',
    seen: /tensor engines are left/,
    put: () => replace(TensorSessions.prototype, 'detach', { value: () => {} }),
  },
  {
    name: 'a tensor session may hold more than its quota',
    seen: /was told .* where/,
    put: () => replace(TensorStore.prototype, 'refusal', { value: () => undefined }),
  },
];
