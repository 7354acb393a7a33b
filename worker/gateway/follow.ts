import type { TeletrainError } from '../../shared/errors.ts';
import type { Drawing, RunStatus } from '../../shared/events.ts';
import { encodeEventFrame, encodeFrame } from '../../shared/frames.ts';
import { limits } from '../../shared/limits.ts';
import type { JournalCursor } from './journal-file.ts';
import type { Run, RunWatcher } from './run.ts';

/** A socket as far as a follower uses it. */
export interface Outlet {
  /** Little enough waits to be sent that more may follow. */
  hasRoom(): boolean;
  /** Nothing waits to be sent. */
  isIdle(): boolean;
  send(frame: Uint8Array): void;
}

/** Frames sent in one turn of the event loop, so that a long replay keeps nobody's ping waiting. */
const framesPerTurn = 100;

export interface FollowerOptions {
  readonly fromSeq: number;
  /** Samples are wanted while they are drawn, too. Default: false. */
  readonly drawings?: boolean | undefined;
  /** Told why nothing more can be read. */
  readonly onError: (error: unknown) => void;
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
  readonly #wantsDrawings: boolean;
  readonly #unwatch: () => void;
  #cursor: JournalCursor;
  /** Read and not sent yet, as msgpack, and how many of them were sent. */
  #ready: readonly Uint8Array[] = [];
  #sent = 0;
  #isReading = false;
  #isResting = false;
  #isClosed = false;

  constructor(run: Run, outlet: Outlet, { fromSeq, drawings, onError }: FollowerOptions) {
    this.#run = run;
    this.#outlet = outlet;
    this.#onError = onError;
    this.#wantsDrawings = drawings ?? false;
    this.#cursor = run.locate(fromSeq);
    this.#unwatch = run.watch(this);
  }

  get run(): Run {
    return this.#run;
  }

  /** Everything there is was sent. */
  get isCaughtUp(): boolean {
    return this.#sent === this.#ready.length && this.#cursor.seq > this.#run.lastSeq;
  }

  appended(): void {
    this.pump();
  }

  /** Only who keeps up gets the live status: it is about now. */
  status(status: RunStatus): void {
    if (this.isCaughtUp && this.#outlet.hasRoom()) {
      this.#outlet.send(encodeFrame('status', { status }));
    }
  }

  /**
   * Only while nothing else waits, so that a drawing never keeps an event or a ping waiting: on a slow
   * line some are left out, and the next one shows more.
   */
  drawing(drawing: Drawing): void {
    if (!this.#wantsDrawings || !this.isCaughtUp || !this.#outlet.isIdle()) return;
    if (drawing.pixels.length > limits.drawingBytes) return;
    this.#outlet.send(encodeFrame('drawing', { drawing }));
  }

  failed(error: TeletrainError): void {
    this.#onError(error);
  }

  /** Sends what there is while there is room; called again when there is more of either. */
  pump(): void {
    if (this.#isResting || this.#isClosed) return;
    for (let count = 0; this.#sent < this.#ready.length && this.#outlet.hasRoom(); count += 1) {
      if (count === framesPerTurn) {
        this.#rest();
        return;
      }
      const event = this.#ready[this.#sent];
      if (event) this.#outlet.send(encodeEventFrame(event));
      this.#sent += 1;
    }
    if (this.#sent < this.#ready.length || this.isCaughtUp || this.#isReading) return;
    this.#isReading = true;
    this.#run.read(this.#cursor).then(
      ({ events, cursor }) => {
        this.#isReading = false;
        this.#cursor = cursor;
        this.#ready = events;
        this.#sent = 0;
        this.pump();
      },
      (error: unknown) => {
        this.close();
        this.#onError(error);
      },
    );
  }

  #rest(): void {
    this.#isResting = true;
    this.#run.directory.system.clock.soon(() => {
      this.#isResting = false;
      this.pump();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#ready = [];
    this.#sent = 0;
    this.#unwatch();
  }
}
