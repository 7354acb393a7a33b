import type { EngineReport } from '../../shared/engine-report.ts';
import type { Failure } from '../../shared/tensors/commands.ts';
import type { DataTypeName, StoredTypeName } from '../../shared/tensors/data.ts';

/** What a program's main thread and the thread that holds its connection say to each other. */

export interface ThreadData {
  /** The port to the main thread. */
  readonly port: import('node:worker_threads').MessagePort;
  /** Four numbers that both threads see; see `shared`. */
  readonly shared: SharedArrayBuffer;
  readonly session: string;
  readonly target: Target;
}

/** Which worker, and as whom. */
export interface Target {
  /** The name or the address of a paired worker; the local one, started if need be, where absent. */
  readonly on?: string;
  /** In place of TELETRAIN_HOME. */
  readonly home?: string;
  /** How long the worker may be out of reach before the session is given up. */
  readonly patienceMs: number;
}

/** Places in the shared numbers. */
export const shared = {
  /** Grows with whatever the thread tells; the main thread waits for it to change. */
  told: 0,
  /** The last batch that the worker is done with. */
  taken: 1,
  /** The last frame of results that arrived. */
  got: 2,
  /** 1 when the thread is no more, whatever ended it. */
  gone: 3,
} as const;
export const sharedBytes = 16;

export type ToThread =
  | { readonly type: 'commands'; readonly number: number; readonly frame: ArrayBuffer }
  | { readonly type: 'close' };

export interface OpenedSession {
  readonly worker: string;
  readonly engine: EngineReport;
  readonly kernels: readonly string[];
  /** Whether it takes commands on models; an older one does not. */
  readonly hasModels: boolean;
  /** Bytes and tensors that the session may hold on the worker. */
  readonly bytes: number;
  readonly handles: number;
}

export type FromThread =
  | { readonly type: 'progress'; readonly message: string }
  | ({ readonly type: 'opened' } & OpenedSession)
  | {
      readonly type: 'data';
      readonly id: number;
      readonly dtype: StoredTypeName;
      readonly shape: readonly number[];
      readonly bytes: ArrayBuffer;
    }
  | {
      readonly type: 'described';
      readonly id: number;
      readonly outputs: readonly (readonly [DataTypeName, readonly number[]])[];
    }
  | {
      readonly type: 'values';
      readonly id: number;
      readonly values: Readonly<Record<string, number>>;
    }
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure }
  /** Nothing comes after this. */
  | {
      readonly type: 'ended';
      readonly error: { readonly code: string; readonly message: string; readonly hint: string };
    };
