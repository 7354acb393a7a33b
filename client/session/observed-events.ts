import { TeletrainError } from '../../shared/errors.ts';
import { isFinal, type RunEvent, type RunState, roughBytes } from '../../shared/events.ts';
import { contains, type History, livesAfter } from '../../shared/lives.ts';
import type { RunSummary } from '../../shared/run.ts';
import { journalFailedThere, refusedError, workerLost } from './errors.ts';
import type { RunFollower } from './run-followers.ts';
import type { ConnectionState } from './types.ts';
import type { WorkerLink } from './worker-link.ts';

/** Bytes of events that may wait to be taken before no more are read, and to which they fall before more are. */
const mostWaiting = 1024 * 1024;
const fewWaiting = mostWaiting / 4;

export interface ObservedEventsOptions {
  readonly run: string;
  readonly worker: string;
  readonly link: WorkerLink;
  readonly fromSeq: number;
  readonly patienceMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The events of one run that come over one connection, until somebody takes them. */
export class ObservedEvents implements RunFollower, Disposable {
  readonly #options: ObservedEventsOptions;
  readonly #stopListening: () => void;
  readonly #abort = (): void => this.#end();
  #waiting: RunEvent[] = [];
  #bytes = 0;
  #summary: RunSummary | undefined;
  #state: RunState | undefined;
  /** By the last event that tells one. */
  #told: RunState | undefined;
  /** Of the events up to the last one that came; undefined before the worker's first answer. */
  #history: History | undefined;
  #release: (() => void) | undefined;
  #lostTimer: NodeJS.Timeout | undefined;
  #isEnded = false;
  #failure: TeletrainError | undefined;
  #wake: () => void = () => {};

  constructor(options: ObservedEventsOptions) {
    this.#options = options;
    const { link, run, fromSeq, signal } = options;
    this.#stopListening = link.onState((state) => this.#connection(state));
    signal?.addEventListener('abort', this.#abort, { once: true });
    link.follow(run, fromSeq, this);
  }

  /** Until the run has ended or the signal aborts. @throws TeletrainError why no more come. */
  async *events(): AsyncGenerator<RunEvent, void, void> {
    const { signal } = this.#options;
    while (!signal?.aborted) {
      // A batch at a time: taking them one by one out of a long list would move the others each time.
      const batch = this.#waiting;
      this.#waiting = [];
      for (const event of batch) {
        yield event;
        if (signal?.aborted) return;
        this.#bytes -= roughBytes(event);
        if (this.#bytes <= fewWaiting) this.#goOn();
      }
      if (this.#waiting.length > 0) continue;
      if (this.#failure) throw this.#failure;
      if (this.#isEnded) return;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  event(event: RunEvent): void {
    if (this.#isEnded || !this.#history) return;
    this.#history = { lastSeq: event.seq, lives: livesAfter(this.#history.lives, event) };
    this.#waiting.push(event);
    this.#bytes += roughBytes(event);
    if (this.#bytes > mostWaiting) this.#release ??= this.#options.link.hold();
    // What the run was before the answer is past: it may have ended and gone on.
    const isNews = event.seq > (this.#summary?.lastSeq ?? 0);
    if (event.type === 'state') this.#told = event.state;
    if (event.type === 'state' && isNews) this.#state = event.state;
    this.#look();
  }

  followed(summary: RunSummary): void {
    this.#summary = summary;
    this.#state = summary.state;
    this.#history ??= historyBefore(Math.max(this.#options.fromSeq, summary.firstSeq), summary);
    if (contains(summary, this.#history)) this.#look();
    else this.#end(replaced(this.#options));
  }

  failed(error: TeletrainError): void {
    this.#end(error);
  }

  status(): void {}

  drawing(): void {}

  [Symbol.dispose](): void {
    this.#end();
    clearTimeout(this.#lostTimer);
    this.#stopListening();
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#options.link.unfollow(this.#options.run, this);
    this.#goOn();
  }

  #look(): void {
    const isThere = (this.#history?.lastSeq ?? 0) >= (this.#summary?.lastSeq ?? Infinity);
    if (!isThere || !this.#state || !isFinal(this.#state)) {
      this.#wake();
      return;
    }
    const { run, worker } = this.#options;
    const isUntold = this.#told !== undefined && !isFinal(this.#told);
    this.#end(isUntold ? journalFailedThere(run, worker) : undefined);
  }

  #connection(state: ConnectionState): void {
    if (state.kind === 'refused') this.#end(refusedError(state));
    if (state.kind === 'connected') {
      clearTimeout(this.#lostTimer);
      this.#lostTimer = undefined;
    } else if (state.kind === 'waiting') {
      const { patienceMs, run } = this.#options;
      this.#lostTimer ??= setTimeout(() => this.#end(workerLost(state.reason, run)), patienceMs);
    }
  }

  #goOn(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #end(failure?: TeletrainError): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failure = failure;
    this.#wake();
  }
}

/** What a follower has that begins at event `seq`: that it is the worker's own is taken for granted. */
function historyBefore(seq: number, { lives }: RunSummary): History {
  return { lastSeq: seq - 1, lives: lives.filter(({ firstSeq }) => firstSeq < seq) };
}

function replaced({ run, worker }: ObservedEventsOptions): TeletrainError {
  return new TeletrainError(
    'run-diverged',
    `Run "${run}" on worker "${worker}" is another copy now than the one that was observed.`,
    { hint: 'Observe it again from its start.' },
  );
}
