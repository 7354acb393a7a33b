import type { EventBody } from '../../../shared/events.ts';

/** Where a run's events go: the gateway, which numbers and journals them. */
export interface Journal {
  send(event: EventBody): void;
  /** Settles when few enough events wait for the gateway's disk that a step may add its own. */
  room(): Promise<void>;
  /** Settles when all events sent so far are on the gateway's disk. */
  kept(): Promise<void>;
}

export const logTo = (journal: Journal) => ({
  info: (message: string) => journal.send({ type: 'log', level: 'info', message }),
  warning: (message: string) => journal.send({ type: 'log', level: 'warning', message }),
  error: (message: string) => journal.send({ type: 'log', level: 'error', message }),
});
