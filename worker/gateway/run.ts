import type { TeletrainError } from '../../shared/errors.ts';
import type { Drawing, NewEvent, RunEvent, RunStatus } from '../../shared/events.ts';
import { type Life, livesAfter } from '../../shared/lives.ts';
import type { RunRecord, RunSummary } from '../../shared/run.ts';
import { Commits } from './commits.ts';
import { type CutTail, type JournalCursor, JournalFile } from './journal-file.ts';
import type { ImportRecord, RunDirectory } from './run-directory.ts';
import { foldEvent, foldOfNew, type RunFold } from './run-fold.ts';

/** Told of every event of every run, once it is on disk. */
export type OnEvents = (run: Run, events: readonly RunEvent[]) => void;

/** Who watches a run is told that there is more to read, and what is true now. */
export interface RunWatcher {
  appended(): void;
  status(status: RunStatus): void;
  drawing(drawing: Drawing): void;
  /** The disk took an event no more: what follows is not known, and the run has ended. */
  failed(error: TeletrainError): void;
}

/** One run: its record, its journal and what that adds up to. The one place that appends to it. */
export class Run {
  readonly record: RunRecord;
  readonly directory: RunDirectory;
  readonly imported: ImportRecord | undefined;
  readonly commits: Commits;
  readonly #journal: JournalFile;
  readonly #watchers = new Set<RunWatcher>();
  readonly #onEvents: OnEvents;
  #fold: RunFold;
  #lives: readonly Life[];

  private constructor(
    record: RunRecord,
    directory: RunDirectory,
    imported: ImportRecord | undefined,
    commits: Commits,
    journal: JournalFile,
    fold: RunFold,
    lives: readonly Life[],
    onEvents: OnEvents,
  ) {
    this.record = record;
    this.directory = directory;
    this.imported = imported;
    this.commits = commits;
    this.#journal = journal;
    this.#fold = fold;
    this.#lives = lives;
    this.#onEvents = onEvents;
  }

  /** Reads what is on disk, or begins an empty journal. @throws TeletrainError `journal-unreadable`, `journal-failed`. */
  static async open(
    record: RunRecord,
    directory: RunDirectory,
    imported: ImportRecord | undefined,
    onEvents: OnEvents,
  ): Promise<{ run: Run; cut: CutTail | undefined }> {
    let fold = foldOfNew(
      imported && {
        step: imported.checkpoint.step,
        epoch: imported.checkpoint.epoch,
        changed: withoutUndefined(imported.changed),
      },
    );
    let lives: readonly Life[] = imported?.lives ?? [];
    const { journal, cut } = await JournalFile.open(
      record.id,
      directory.journalPath,
      imported?.nextSeq ?? 1,
      (event) => {
        fold = foldEvent(fold, event);
        lives = livesAfter(lives, event);
      },
      directory.system,
    );
    const commits = await Commits.of(directory, imported);
    const run = new Run(record, directory, imported, commits, journal, fold, lives, onEvents);
    return { run, cut };
  }

  get id(): string {
    return this.record.id;
  }

  get fold(): RunFold {
    return this.#fold;
  }

  get firstSeq(): number {
    return this.#journal.firstSeq;
  }

  get lastSeq(): number {
    return this.#journal.lastSeq;
  }

  get summary(): RunSummary {
    const { state, step, epoch } = this.#fold;
    const { record, lastSeq, firstSeq } = this;
    return { record, state, step, epoch, lastSeq, firstSeq, lives: [...this.#lives] };
  }

  /** It has events of this worker; those of an imported run before them are another's. */
  get isBegun(): boolean {
    return this.lastSeq >= this.firstSeq;
  }

  /** Of the events up to the last one. */
  get lives(): readonly Life[] {
    return this.#lives;
  }

  /**
   * Journals events, then tells who watches. What the run is changes in the order of its events.
   * @throws TeletrainError `journal-failed`, `event-too-large`.
   */
  async append(...bodies: NewEvent[]): Promise<readonly RunEvent[]> {
    const events = await this.#journal.append(bodies, this.directory.system.clock.now());
    for (const event of events) {
      this.#fold = foldEvent(this.#fold, event);
      this.#lives = livesAfter(this.#lives, event);
    }
    for (const watcher of this.#watchers) watcher.appended();
    this.#onEvents(this, events);
    return events;
  }

  locate(seq: number): JournalCursor {
    return this.#journal.locate(seq);
  }

  /** Events as msgpack, from a place in the journal on. */
  async read(cursor: JournalCursor): Promise<{ events: Uint8Array[]; cursor: JournalCursor }> {
    return await this.#journal.read(cursor);
  }

  /**
   * The run ended because its journal could not be written, so no event can say so. Until the
   * worker starts anew it counts as failed; then it is recovered like any run that was cut off.
   */
  failed(error: TeletrainError): void {
    this.#fold = { ...this.#fold, state: 'failed', reason: error.code, asked: undefined };
    for (const watcher of this.#watchers) watcher.failed(error);
  }

  /** The disk may take events again. */
  retryJournal(): void {
    this.#journal.retry();
  }

  watch(watcher: RunWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Live status: told to who watches, kept nowhere. */
  tell(status: RunStatus): void {
    for (const watcher of this.#watchers) watcher.status(status);
  }

  /** A sample that is being drawn: shown to who watches, kept nowhere. */
  show(drawing: Drawing): void {
    for (const watcher of this.#watchers) watcher.drawing(drawing);
  }

  /** Lets go of the journal's file until the next event. */
  async rest(): Promise<void> {
    await this.#journal.close();
  }
}

function withoutUndefined(changed: ImportRecord['changed']): RunFold['changed'] {
  const { epochs, patience } = changed ?? {};
  return {
    ...(epochs === undefined ? {} : { epochs }),
    ...(patience === undefined ? {} : { patience }),
  };
}
