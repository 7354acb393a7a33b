import type { TeletrainError } from '../../shared/errors.ts';
import type { NewEvent, RunEvent } from '../../shared/events.ts';
import { encodeRecord } from '../../shared/journal.ts';

/** Events that were given their numbers together and become durable together. */
export interface JournalBatch {
  readonly events: readonly RunEvent[];
  readonly records: readonly Buffer[];
}

/**
 * The writing half of a journal as a state machine without a disk: events go in and get their
 * numbers, what to write comes out, the disk's answer goes in. One write is under way at a time;
 * events that come meanwhile are the next one, so a slow disk costs delay and no throughput. After
 * a refusal the numbers of what was refused are given anew, once `retry` is called.
 */
export class JournalWriter {
  readonly #run: string;
  readonly #life: string;
  /** Last event given a number, and last one on disk. */
  #numbered: number;
  #lastSeq: number;
  /** The event that begins a new life of the run, until it is there. */
  readonly #lifeFrom: number | undefined;
  #waiting: JournalBatch[] = [];
  #underway: JournalBatch[] = [];
  #failure: TeletrainError | undefined;

  /**
   * @param lastSeq of the events that are on disk.
   * @param life name of the life that begins with the next event; undefined when it goes on with the last one's.
   */
  constructor(run: string, lastSeq: number, life: string | undefined) {
    this.#run = run;
    this.#numbered = lastSeq;
    this.#lastSeq = lastSeq;
    this.#lifeFrom = life === undefined ? undefined : lastSeq + 1;
    this.#life = life ?? '';
  }

  /** The last event that is on disk. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** @throws TeletrainError `event-too-large`; the refusal, after one. */
  append(bodies: readonly NewEvent[], time: number): JournalBatch {
    if (this.#failure) throw this.#failure;
    const events = bodies.map(({ request, ...body }, index): RunEvent => {
      const seq = this.#numbered + index + 1;
      const life = seq === this.#lifeFrom ? { life: this.#life } : {};
      const cause = request === undefined ? {} : { request };
      return { ...body, run: this.#run, seq, time, ...life, ...cause };
    });
    const batch = { events, records: events.map(encodeRecord) };
    this.#numbered += events.length;
    this.#waiting.push(batch);
    return batch;
  }

  /** The records to append to the file now; undefined while a write is under way, or nothing waits. */
  next(): readonly Buffer[] | undefined {
    if (this.#underway.length > 0 || this.#waiting.length === 0) return undefined;
    this.#underway = this.#waiting;
    this.#waiting = [];
    return this.#underway.flatMap(({ records }) => records);
  }

  /** What `next` gave is on disk. @returns whose events may be told of now. */
  written(): readonly JournalBatch[] {
    const batches = this.#underway;
    this.#underway = [];
    for (const { events } of batches) this.#lastSeq += events.length;
    return batches;
  }

  /** The disk did not take it: nothing after it may be kept either. @returns what is not kept. */
  refused(error: TeletrainError): readonly JournalBatch[] {
    const batches = [...this.#underway, ...this.#waiting];
    this.#underway = [];
    this.#waiting = [];
    this.#failure = error;
    this.#numbered = this.#lastSeq;
    return batches;
  }

  /** Forgets a refusal, so that `append` tries the disk again. */
  retry(): void {
    this.#failure = undefined;
  }
}
