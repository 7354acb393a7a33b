import { limits } from '../../shared/limits.ts';

export interface ConnectionTimes {
  /** Between two pings, each of which measures the round trip. */
  readonly pingMs: number;
  /** Nothing heard for this long: the connection is dead. */
  readonly silenceMs: number;
  /** From the socket's opening to the worker's welcome. */
  readonly greetingMs: number;
  /** First and longest delay between two attempts to connect; it doubles in between. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A connection that lasted this long starts the delays anew. */
  readonly settledMs: number;
}

export const defaultTimes: ConnectionTimes = {
  pingMs: limits.heartbeatMs / 3,
  silenceMs: limits.silenceMs,
  greetingMs: limits.authenticationMs * 2,
  firstDelayMs: 250,
  longestDelayMs: 10_000,
  settledMs: 5_000,
};
