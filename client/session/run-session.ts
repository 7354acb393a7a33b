import type { Clock } from '../../shared/clock.ts';
import type { TeletrainError } from '../../shared/errors.ts';
import { isFinal, type RunEvent } from '../../shared/events.ts';
import { contains, type History } from '../../shared/lives.ts';
import type { MethodName, ParamsOf } from '../../shared/messages.ts';
import type { RunSummary } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import {
  cancelled,
  journalFailedThere,
  notResumedThere,
  offlineError,
  refusedError,
  runDiverged,
  workerLost,
} from './errors.ts';
import { type JournalFile, journalChunks } from './journal-file.ts';
import { RunFiles } from './run-files.ts';
import type { RunFollower } from './run-followers.ts';
import type { RunFold } from './run-view.ts';
import type { RunView } from './types.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { WorkerLink } from './worker-link.ts';

/** A command waits for this long for a worker that is away. */
const commandPatienceMs = 20_000;

export interface RunSessionOptions {
  readonly fold: RunFold;
  readonly journal: JournalFile;
  readonly system: System;
}

/**
 * One run as this program follows it: takes each event once, keeps it (view, journal, picture,
 * checkpoint) and tells who listens.
 */
export class RunSession {
  readonly #options: RunSessionOptions;
  readonly #clock: Clock;
  readonly #files: RunFiles;
  readonly #listeners = new Set<() => void>();
  readonly #stopListening: (() => void)[] = [];
  #link: WorkerLink | undefined;
  #follower: RunFollower | undefined;
  #announced = false;
  #isWaitingForDisk = false;
  /** What the worker said it has, since the last connection. */
  #summary: RunSummary | undefined;
  /** Why nothing more can be kept; whoever waits for the run's end is told. */
  #failure: TeletrainError | undefined;
  /** The worker says that the run failed, and its last event does not: its journal took no more. */
  #untoldEnd: TeletrainError | undefined;
  /** Why this worker does not give the run's events. */
  #refusal: TeletrainError | undefined;
  #disconnectedAt: number;
  #isClosed = false;

  constructor(options: RunSessionOptions) {
    this.#options = options;
    const { fold, journal, system } = options;
    this.#clock = system.clock;
    this.#disconnectedAt = this.#clock.monotonic();
    journal.onFailure = (error) => this.#fail(error);
    this.#files = new RunFiles({
      fold,
      link: () => this.#link,
      onChange: () => this.#changed(),
      onFailure: (error) => this.#fail(error),
      system,
    });
  }

  get id(): string {
    return this.#options.fold.record.id;
  }

  get view(): RunView {
    return this.#options.fold;
  }

  /** Which events are at home. */
  get history(): History {
    return this.#options.fold;
  }

  get link(): WorkerLink | undefined {
    return this.#link;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Finds out which checkpoints are at home, and mends what an earlier program left undone. */
  async lookAtHome(): Promise<void> {
    await this.#files.look();
  }

  /**
   * Follows the run on a worker from now on, in place of an earlier one.
   * @throws TeletrainError `cancelled` once it was closed: what was asked of it before must not take
   *   the run's events from who follows it now.
   */
  attach(link: WorkerLink, workerName: string): void {
    if (this.#isClosed) throw cancelled('Following the run');
    this.detach('another worker');
    const { fold } = this.#options;
    const clock = this.#clock;
    this.#link = link;
    this.#summary = undefined;
    this.#refusal = undefined;
    this.#disconnectedAt = clock.monotonic();
    fold.set('worker', workerName);
    fold.set('connection', link.state);
    fold.set('access', link.access);
    this.#stopListening.push(
      link.onState((state) => {
        if (state.kind !== 'connected' && fold.connection.kind === 'connected') {
          this.#disconnectedAt = clock.monotonic();
          this.#summary = undefined;
          fold.set('status', undefined);
          fold.draw(undefined);
        }
        fold.set('connection', state);
        fold.set('access', link.access);
        this.#changed();
      }),
      link.onControl(() => {
        fold.set('access', link.access);
        this.#changed();
      }),
    );
    this.#follower = {
      event: (event) => this.#take(event),
      status: (status) => {
        fold.set('status', { ...status, receivedAt: clock.monotonic() });
        this.#changed();
      },
      drawing: (drawing) => {
        fold.draw(drawing);
        this.#changed();
      },
      followed: (summary) => this.#followed(summary),
      failed: (error) => {
        this.#refusal = error;
        this.#changed();
      },
    };
    link.follow(this.id, fold.lastSeq + 1, this.#follower);
    link.start();
    this.#changed();
  }

  /** Waits for the first answer of the worker, or for a sign that none comes soon. */
  async firstLook(patienceMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const { connection, lastSeq } = this.view;
      const isCaughtUp = this.#summary !== undefined && lastSeq >= this.#summary.lastSeq;
      const isAway = connection.kind !== 'connected' && connection.kind !== 'connecting';
      if (isCaughtUp || isAway || this.#obstacle) resolve();
    };
    const stopTimer = this.#clock.after(patienceMs, resolve);
    const unsubscribe = this.subscribe(look);
    try {
      look();
      await unlessAborted(promise, 'Opening the run', signal);
    } finally {
      stopTimer();
      unsubscribe();
    }
  }

  /** Lets go of the worker; what was received is kept. */
  detach(reason: string): void {
    for (const stop of this.#stopListening.splice(0)) stop();
    this.#unfollow();
    this.#link = undefined;
    this.#files.interrupt();
    const { fold } = this.#options;
    fold.set('status', undefined);
    fold.draw(undefined);
    fold.set('access', undefined);
    fold.set('connection', { kind: 'offline', reason });
    this.#changed();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.detach('closed');
    await this.#files.close();
    await this.#options.journal.flushed();
    this.#listeners.clear();
  }

  /** Sends a command; resolves when the worker has taken it. */
  async command<Method extends MethodName>(
    method: Method,
    params: ParamsOf<Method>,
    pending?: 'pausing' | 'resuming' | 'stopping',
  ): Promise<void> {
    const { fold } = this.#options;
    if (!this.#link) {
      const { connection } = fold;
      throw offlineError(connection.kind === 'offline' ? connection.reason : 'not connected');
    }
    const before = fold.stateSeq;
    if (this.#failure) throw this.#failure;
    await this.#link.request(method, params, { patienceMs: commandPatienceMs });
    // The end that no event told of is over; the event that says so may come after the answer.
    if (pending === 'resuming') this.#untoldEnd = undefined;
    // Where a state event came before the answer, nothing is pending any more.
    if (pending && fold.stateSeq === before) fold.set('pending', pending);
    this.#changed();
  }

  /** Resolves when every event that was taken is on disk here for good. @throws TeletrainError why it cannot be. */
  async kept(): Promise<void> {
    await this.#options.journal.synced();
  }

  async download(id: string, signal?: AbortSignal): Promise<string> {
    return this.#files.download(id, signal);
  }

  /** See RunHandle.finished. */
  async finished(options: { signal?: AbortSignal; lostAfterMs?: number } = {}): Promise<RunView> {
    const { journal } = this.#options;
    const clock = this.#clock;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let stopTimer: (() => void) | undefined;
    const look = (): void => {
      stopTimer?.();
      stopTimer = undefined;
      const { connection } = this.view;
      const obstacle = this.#obstacle;
      if (obstacle) reject(obstacle);
      else if (this.#isSettled()) resolve();
      else if (connection.kind === 'refused') reject(refusedError(connection));
      else if (!this.#link) reject(offlineError('it has not ended, as far as this machine knows'));
      else if (connection.kind !== 'connected' && options.lostAfterMs !== undefined) {
        const left = this.#disconnectedAt + options.lostAfterMs - clock.monotonic();
        if (left > 0) stopTimer = clock.after(left, look);
        else {
          const why = connection.kind === 'waiting' ? connection.reason : 'no connection';
          reject(workerLost(why, this.id));
        }
      }
    };
    const unsubscribe = this.subscribe(look);
    try {
      look();
      await unlessAborted(promise, 'Waiting for the run', options.signal);
    } finally {
      unsubscribe();
      stopTimer?.();
    }
    await this.#files.samplesWritten();
    await journal.flushed();
    return this.view;
  }

  /** See RunHandle.events. What it gives, it read from disk. */
  async *events(
    options: { fromSeq?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<RunEvent> {
    const { journal, system } = this.#options;
    let next = options.fromSeq ?? 1;
    let position = 0;
    while (!options.signal?.aborted) {
      await journal.flushed();
      const settled = this.#isSettledApartFromDownloads() || !this.#link;
      for await (const { events, end } of journalChunks(journal.path, position, system)) {
        position = end;
        for (const event of events) {
          if (event.seq < next) continue;
          next = event.seq + 1;
          yield event;
          if (options.signal?.aborted) return;
        }
      }
      if (settled) return;
      await this.#nextChange(options.signal, next);
    }
  }

  /** Waits until there is an event from `seq` on, or none will come. */
  async #nextChange(signal: AbortSignal | undefined, seq: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const isOver =
        this.#isSettledApartFromDownloads() || !this.#link || this.#obstacle || signal?.aborted;
      if (this.view.lastSeq >= seq || isOver) resolve();
    };
    const unsubscribe = this.subscribe(look);
    signal?.addEventListener('abort', look);
    look();
    await promise;
    unsubscribe();
    signal?.removeEventListener('abort', look);
    const obstacle = this.#obstacle;
    if (obstacle) throw obstacle;
  }

  /** Why nothing more of the run comes, though no event of it says so. */
  get #obstacle(): TeletrainError | undefined {
    return this.#failure ?? this.#refusal ?? this.#untoldEnd;
  }

  #isSettled(): boolean {
    return this.#isSettledApartFromDownloads() && this.#files.isIdle;
  }

  #isSettledApartFromDownloads(): boolean {
    const { view } = this;
    if (!isFinal(view.state) || view.pending) return false;
    return !this.#link || (this.#summary !== undefined && view.lastSeq >= this.#summary.lastSeq);
  }

  #take(event: RunEvent): void {
    const { fold, journal } = this.#options;
    fold.apply(event);
    this.#learnState();
    journal.append(event);
    if (journal.isFull) this.#waitForDisk();
    if (event.type === 'sample') this.#keepSample(event.seq);
    if (event.type === 'checkpoint') this.#files.wantCheckpoint(event.id);
    this.#changed();
  }

  /** The disk is slower than the worker, which keeps the events until there is room for them here. */
  #waitForDisk(): void {
    const { journal } = this.#options;
    if (this.#isWaitingForDisk || !this.#link) return;
    this.#isWaitingForDisk = true;
    const release = this.#link.hold();
    // A failure is told by the journal itself.
    void journal
      .flushed()
      .catch(() => {})
      .finally(() => {
        this.#isWaitingForDisk = false;
        release();
      });
  }

  /** The newest sample is not this event's where that arrived damaged. */
  #keepSample(seq: number): void {
    const sample = this.#options.fold.samples.at(-1);
    if (sample?.seq === seq) this.#files.keepSample(sample);
  }

  #followed(summary: RunSummary): void {
    const { fold } = this.#options;
    this.#summary = summary;
    if (!contains(summary, fold)) {
      // Its events have the numbers that come next here, and are not those that do.
      this.#unfollow();
      this.#refusal = runDiverged(this.id, fold.worker ?? '', summary, fold);
      this.#changed();
      return;
    }
    fold.unlearnState();
    this.#learnState();
    this.#files.wantMissingCheckpoints();
    this.#changed();
  }

  /** A run whose journal took no more, or that was only brought there, is in a state that no event of it tells. */
  #learnState(): void {
    const { fold } = this.#options;
    this.#untoldEnd = undefined;
    const summary = this.#summary;
    if (summary?.lastSeq !== fold.lastSeq || isFinal(fold.state)) return;
    const worker = fold.worker ?? '';
    if (summary.state === 'failed') {
      this.#untoldEnd = journalFailedThere(this.id, worker);
      fold.learnState('failed', this.#untoldEnd);
    } else if (summary.lastSeq < summary.firstSeq) {
      fold.learnState('interrupted', notResumedThere(this.id, worker));
    }
  }

  /** Another session of the run may follow it by now, where this one took long to end. */
  #unfollow(): void {
    if (this.#follower) this.#link?.unfollow(this.id, this.#follower);
  }

  #fail(error: TeletrainError): void {
    this.#failure ??= error;
    this.#changed();
  }

  /** Tells the listeners once, after the event loop took in what came at one time. */
  #changed(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#clock.soon(() => {
      this.#announced = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}
