import { dirname } from 'node:path';
import type { TeletrainError } from '../../shared/errors.ts';
import { type RunEvent, roughBytes } from '../../shared/events.ts';
import { decodeEvent, encodeRecord, recordHeadBytes, scanRecords } from '../../shared/journal.ts';
import { limits } from '../../shared/limits.ts';
import { type Life, lifeOf, livesAfter } from '../../shared/lives.ts';
import type { OpenFile, System } from '../../shared/system.ts';
import { diskError } from './disk-errors.ts';
import { runMoved } from './errors.ts';
import { FileLock } from './file-lock.ts';
import { hasCode, syncFolder } from './private-file.ts';
import { nodeSystem } from './system.ts';

const chunkBytes = 256 * 1024;
const largestRecord = recordHeadBytes + limits.eventBytes;
/** Bytes of events: some 16,000 metrics. As many again may be in writing. */
const mostWaiting = 4 * 1024 * 1024;
/** Events wait for this long for others to be written together with them; the worker still has them. */
const gatherMs = 100;

export interface JournalReading {
  /** Where the whole records end. */
  readonly end: number;
  /** Bytes after it that are no record: a write that was cut short. */
  readonly torn: boolean;
}

/**
 * Hands out the events of a journal from a byte on, in order.
 * @throws TeletrainError `journal-unreadable`.
 */
export async function readJournal(
  path: string,
  onEvent: (event: RunEvent) => void,
  from = 0,
  system: System = nodeSystem,
): Promise<JournalReading> {
  let reading: JournalReading = { end: from, torn: false };
  for await (const { events, ...read } of journalChunks(path, from, system)) {
    for (const event of events) onEvent(event);
    reading = read;
  }
  return reading;
}

/**
 * The same a stretch at a time, so that a journal of any length takes the memory of one: of about
 * `chunkBytes`. Each tells how far it reads.
 */
export async function* journalChunks(
  path: string,
  from: number,
  { disk }: System,
): AsyncGenerator<JournalReading & { readonly events: readonly RunEvent[] }> {
  let file: OpenFile;
  try {
    file = await disk.open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await using _ = file;
  const { size } = await file.stat();
  let end = from;
  // A byte more than there is, so that the end shows itself.
  let buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(0, size - from) + 1));
  let filled = 0;
  for (;;) {
    if (filled === buffer.length) buffer = Buffer.concat([buffer], largestRecord);
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, end + filled);
    filled += bytesRead;
    const scan = scanRecords(buffer.subarray(0, filled));
    const events = scan.records.map(({ body }) => decodeEvent(body));
    end += scan.end;
    buffer.copyWithin(0, scan.end, filled);
    filled -= scan.end;
    const isOver = bytesRead === 0 || scan.tail === 'corrupt';
    if (events.length > 0 || isOver) yield { events, end, torn: isOver && filled > 0 };
    if (isOver) return;
  }
}

/**
 * The client's journal of one run. Several programs may follow one run (a dashboard and an
 * `attach`): each appends what it hears, under a lock held for that one write, after looking at
 * what the others appended meanwhile. So whichever hears an event first writes it, nobody writes it
 * twice, and it does not matter which of them ends first. One that follows another life of the run,
 * on a worker from which it was moved meanwhile, finds that out before it writes.
 */
export class JournalFile {
  readonly path: string;
  readonly #system: System;
  /** Told when a write failed; what waits is lost to this disk then. */
  onFailure: (error: TeletrainError) => void = () => {};
  #end = 0;
  #lastSeq = 0;
  /** Of the events on disk, and of those with the ones that wait. */
  #lives: readonly Life[] = [];
  #heardLives: readonly Life[] = [];
  #waiting: RunEvent[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #hurry: () => void = () => {};
  #failure: TeletrainError | undefined;

  private constructor(path: string, system: System) {
    this.path = path;
    this.#system = system;
  }

  /** Reads what is there; a torn end is cut off by the next write. */
  static async open(
    path: string,
    onEvent: (event: RunEvent) => void,
    system: System = nodeSystem,
  ): Promise<JournalFile> {
    const journal = new JournalFile(path, system);
    await journal.#catchUp(onEvent);
    journal.#heardLives = journal.#lives;
    return journal;
  }

  /** The last event that is on disk, as far as this program saw. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** More waits than a disk should have to be waited for. */
  get isFull(): boolean {
    return !this.#failure && this.#waitingBytes > mostWaiting;
  }

  /** Takes an event to be written soon; `flushed` tells when and whether that worked. */
  append(event: RunEvent): void {
    // Nothing after an event that could not be kept may be kept: there would be a gap.
    if (this.#failure) return;
    this.#heardLives = livesAfter(this.#heardLives, event);
    this.#waiting.push(event);
    this.#waitingBytes += roughBytes(event);
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was appended is on disk, which is hurried on. @throws what went wrong in writing it. */
  async flushed(): Promise<void> {
    while (this.#writing) {
      this.#hurry();
      await this.#writing;
    }
    if (this.#failure) throw this.#failure;
  }

  /** As `flushed`, and that it lasts over a failure of power. */
  async synced(): Promise<void> {
    await this.flushed();
    try {
      await using file = await this.#system.disk.open(this.path, 'a+', 0o600);
      await file.datasync();
      await syncFolder(dirname(this.path), this.#system);
    } catch (error) {
      throw diskError("The run's journal", error);
    }
  }

  async #write(): Promise<void> {
    try {
      await this.#gather();
      const events = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#writeTogether(events);
    } catch (error) {
      this.#failure ??= diskError("The run's journal", error);
      this.onFailure(this.#failure);
    } finally {
      this.#writing = !this.#failure && this.#waiting.length > 0 ? this.#write() : undefined;
    }
  }

  async #gather(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = this.#system.clock.after(gatherMs, resolve);
    this.#hurry = resolve;
    await promise;
    stopTimer();
  }

  async #writeTogether(events: readonly RunEvent[]): Promise<void> {
    await using _ = await FileLock.take(`${this.path}.lock`, undefined, this.#system);
    await this.#catchUp(() => {});
    this.#requireSameLife(events);
    const fresh = events.filter((event) => event.seq > this.#lastSeq);
    if (fresh.length === 0) return;
    const bytes = Buffer.concat(fresh.map(encodeRecord));
    await using file = await this.#system.disk.open(this.path, 'a+', 0o600);
    const { size } = await file.stat();
    if (size > this.#end) await file.truncate(this.#end);
    await file.appendFile(bytes);
    // Losing the last seconds to a power cut is harmless while the worker has them; a run's end
    // and its checkpoints are where it may be gone soon after.
    if (fresh.some((event) => event.type === 'state' || event.type === 'checkpoint')) {
      await file.datasync();
    }
    this.#end += bytes.length;
    this.#lastSeq = fresh.at(-1)?.seq ?? this.#lastSeq;
    for (const event of fresh) this.#lives = livesAfter(this.#lives, event);
  }

  /** @throws TeletrainError `run-diverged` when another program wrote events of another life. */
  #requireSameLife(events: readonly RunEvent[]): void {
    const last = events.at(-1);
    if (!last) return;
    const shared = Math.min(last.seq, this.#lastSeq);
    const here = lifeOf({ lives: this.#lives }, shared);
    const heard = lifeOf({ lives: this.#heardLives }, shared);
    if (here !== heard) throw runMoved(last.run);
  }

  async #catchUp(onEvent: (event: RunEvent) => void): Promise<void> {
    const size = await this.#system.disk.stat(this.path).then(
      (status) => status.size,
      (error: unknown) => {
        if (hasCode(error, 'ENOENT')) return 0;
        throw error;
      },
    );
    if (size === this.#end) return;
    const reading = await readJournal(
      this.path,
      (event) => {
        this.#lastSeq = event.seq;
        this.#lives = livesAfter(this.#lives, event);
        onEvent(event);
      },
      this.#end,
      this.#system,
    );
    this.#end = reading.end;
  }
}
