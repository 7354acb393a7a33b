import type { Clock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import type { Welcome } from '../../shared/messages.ts';
import { connectionClosed, workerLost } from './errors.ts';
import type { ConnectionState } from './types.ts';
import { unlessAborted } from './unless-aborted.ts';

/** A link that is connecting, as far as it is waited for. */
export interface ConnectingLink {
  readonly state: ConnectionState;
  readonly welcome: Welcome | undefined;
  onState(listener: (state: ConnectionState) => void): () => void;
}

export interface Patience {
  readonly patienceMs: number;
  /** After so many failed ones it is given up. Default: `patienceMs` alone counts. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

/**
 * Resolves with the worker's welcome once a link is connected.
 * @throws TeletrainError the refusal; `worker-lost` after `patienceMs` or so many attempts; `cancelled`.
 */
export async function untilConnected(
  link: ConnectingLink,
  clock: Clock,
  { patienceMs, attempts, signal }: Patience,
): Promise<Welcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Welcome>();
  let failed = 0;
  const look = (state: ConnectionState): void => {
    if (state.kind === 'waiting') failed += 1;
    if (state.kind === 'waiting' && failed === attempts) reject(workerLost(state.reason));
    if (state.kind === 'connected' && link.welcome) resolve(link.welcome);
    if (state.kind === 'offline') reject(connectionClosed());
    if (state.kind === 'refused') {
      reject(new TeletrainError(state.code, state.message, { hint: state.hint }));
    }
  };
  const stopListening = link.onState(look);
  const stopTimer = clock.after(patienceMs, () => {
    const { state } = link;
    reject(workerLost(state.kind === 'waiting' ? state.reason : 'it does not answer'));
  });
  try {
    look(link.state);
    return await unlessAborted(promise, 'Connecting', signal);
  } finally {
    stopListening();
    stopTimer();
  }
}
