import type { EventBody } from '../../../shared/events.ts';

/** Where a run's events go: the gateway, which numbers and journals them. */
export interface Journal {
  send(event: EventBody): void;
  /** Settles when all events sent so far have left this process. */
  drained(): Promise<void>;
}

export const logTo = (journal: Journal) => ({
  info: (message: string) => journal.send({ type: 'log', level: 'info', message }),
  warning: (message: string) => journal.send({ type: 'log', level: 'warning', message }),
  error: (message: string) => journal.send({ type: 'log', level: 'error', message }),
});
