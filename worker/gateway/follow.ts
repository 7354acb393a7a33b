import type { TeletrainError } from '../../shared/errors.ts';
import type { RunEvent, RunStatus } from '../../shared/events.ts';
import type { FrameKind } from '../../shared/messages.ts';
import type { JournalCursor } from './journal-file.ts';
import type { Run, RunWatcher } from './run.ts';

/** A socket as far as a follower uses it. */
export interface Outlet {
  /** Little enough waits to be sent that more may follow. */
  hasRoom(): boolean;
  send(kind: FrameKind, header: unknown): void;
}

/**
 * One client's reading of one run: a place in the journal, moved on as fast as the client takes
 * events. What was not sent yet is on disk, so a slow client costs no more memory than one read
 * (256 KiB) and misses nothing. Replayed and live events go the same way.
 */
export class Follower implements RunWatcher {
  readonly #run: Run;
  readonly #outlet: Outlet;
  readonly #onError: (error: unknown) => void;
  readonly #unwatch: () => void;
  #cursor: JournalCursor;
  /** Read and not sent yet. */
  #ready: RunEvent[] = [];
  #isReading = false;
  #isClosed = false;

  constructor(run: Run, fromSeq: number, outlet: Outlet, onError: (error: unknown) => void) {
    this.#run = run;
    this.#outlet = outlet;
    this.#onError = onError;
    this.#cursor = run.locate(fromSeq);
    this.#unwatch = run.watch(this);
  }

  get run(): Run {
    return this.#run;
  }

  /** Everything there is was sent. */
  get isCaughtUp(): boolean {
    return this.#ready.length === 0 && this.#cursor.seq > this.#run.lastSeq;
  }

  appended(): void {
    this.pump();
  }

  /** Only who keeps up gets the live status: it is about now. */
  status(status: RunStatus): void {
    if (this.isCaughtUp && this.#outlet.hasRoom()) this.#outlet.send('status', { status });
  }

  failed(error: TeletrainError): void {
    this.#onError(error);
  }

  /** Sends what there is while there is room; called again when there is more of either. */
  pump(): void {
    while (this.#ready.length > 0 && !this.#isClosed && this.#outlet.hasRoom()) {
      this.#outlet.send('event', { event: this.#ready.shift() });
    }
    if (this.#ready.length > 0 || this.isCaughtUp || this.#isReading || this.#isClosed) return;
    this.#isReading = true;
    this.#run.read(this.#cursor).then(
      ({ events, cursor }) => {
        this.#isReading = false;
        this.#cursor = cursor;
        this.#ready = events;
        this.pump();
      },
      (error: unknown) => {
        this.close();
        this.#onError(error);
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#ready = [];
    this.#unwatch();
  }
}
