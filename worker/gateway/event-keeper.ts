import { TeletrainError } from '../../shared/errors.ts';
import { type EventBody, eventBodySchema } from '../../shared/events.ts';
import type { Run } from './run.ts';

/** Brings the engine's and the gateway's own events into the journal, or says that it cannot. */
export class EventKeeper {
  readonly #onRefused: (run: Run, error: TeletrainError) => Promise<void>;
  #last: Promise<void> = Promise.resolve();

  /** @param onRefused the disk does not take an event: the run has to end, for events are never lost in silence. */
  constructor(onRefused: (run: Run, error: TeletrainError) => Promise<void>) {
    this.#onRefused = onRefused;
  }

  /** Resolves when all that the engine said so far is on disk, or was refused. */
  get settled(): Promise<void> {
    return this.#last;
  }

  /**
   * Keeps an event of the engine's. One that is not what an event may be is a fault of ours, for
   * which the run need not end; but the journal must stay readable, so a log event takes its place.
   * @returns the event when it was sound.
   */
  async keep(run: Run, body: EventBody): Promise<EventBody | undefined> {
    const checked = eventBodySchema.safeParse(body);
    const what = checked.success ? '' : `${body.type}: ${checked.error.issues[0]?.message}`;
    const event: EventBody = checked.success
      ? checked.data
      : { type: 'log', level: 'error', message: `An event of the engine was left out (${what}).` };
    this.#last = this.append(run, event);
    await this.#last;
    return checked.data;
  }

  async append(run: Run, event: EventBody): Promise<void> {
    try {
      await run.append(event);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      if (error.code !== 'event-too-large') return await this.#onRefused(run, error);
      const message = `${error.message} ${error.hint}`;
      await this.append(run, { type: 'log', level: 'error', message });
    }
  }
}
