import type { TeletrainError } from '../../shared/errors.ts';
import type { ConnectionState } from './types.ts';

/** Where a connection is on its way to a worker. */
export type ConnectionPhase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'greeting'; readonly attempt: number; readonly since: number }
  | { readonly kind: 'connected'; readonly since: number }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  | { readonly kind: 'refused'; readonly error: TeletrainError }
  | { readonly kind: 'stopped' };

/** A phase as users see it. @param line what is known while it is connected. */
export function stateOf(
  phase: ConnectionPhase,
  line: Omit<Extract<ConnectionState, { kind: 'connected' }>, 'kind' | 'since'>,
): ConnectionState {
  switch (phase.kind) {
    case 'idle':
    case 'stopped':
      return { kind: 'offline', reason: 'not connected' };
    case 'connecting':
    case 'greeting':
      return { kind: 'connecting', attempt: phase.attempt };
    case 'connected':
      return { kind: 'connected', since: phase.since, ...line };
    case 'waiting':
      return phase;
    default:
      return { kind: 'refused', ...phase.error.toJSON() };
  }
}
