import type { TeletrainError } from '../../shared/errors.ts';
import type { Drawing, RunEvent, RunStatus } from '../../shared/events.ts';
import type { ControlState, FrameKind, ResultsHeader, Welcome } from '../../shared/messages.ts';
import type { RunSummary } from '../../shared/run.ts';
import type { ConnectionState } from './types.ts';

/** What a connection wants done, or tells; in this order. */
export type ConnectionEffect =
  | { readonly type: 'connect' }
  | {
      readonly type: 'send';
      readonly kind: FrameKind;
      readonly header: unknown;
      readonly payload?: Uint8Array | undefined;
    }
  /** Close politely with a code, or drop at once a socket that is dead. */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'terminate' }
  | { readonly type: 'state'; readonly state: ConnectionState }
  | { readonly type: 'welcome'; readonly welcome: Welcome }
  /** Who may change things at the worker now. */
  | { readonly type: 'control'; readonly control: ControlState }
  | {
      readonly type: 'answer';
      readonly id: string;
      readonly result: unknown;
      readonly payload: Uint8Array;
    }
  | { readonly type: 'rejected'; readonly id: string; readonly error: TeletrainError }
  | { readonly type: 'event'; readonly event: RunEvent }
  | { readonly type: 'status'; readonly status: RunStatus }
  | { readonly type: 'drawing'; readonly drawing: Drawing }
  | {
      readonly type: 'results';
      readonly header: ResultsHeader;
      /** A view into the message; copy it to keep it. */
      readonly payload: Uint8Array;
    }
  | { readonly type: 'followed'; readonly run: string; readonly summary: RunSummary }
  | { readonly type: 'follow-failed'; readonly run: string; readonly error: TeletrainError };
