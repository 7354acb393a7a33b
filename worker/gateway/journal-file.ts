import { type FileHandle, open } from 'node:fs/promises';
import { TeletrainError } from '../../shared/errors.ts';
import type { EventBody, RunEvent } from '../../shared/events.ts';
import { decodeEvent, encodeRecord, recordHeadBytes, scanRecords } from '../../shared/journal.ts';
import { limits } from '../../shared/limits.ts';
import { isSystemError } from './durable-file.ts';

const readBytes = 256 * 1024;
const largestRecord = recordHeadBytes + limits.eventBytes;
/** An index entry a so many events: replay starts at most this many before what was asked for. */
const eventsPerMark = 64;

/** The end of a journal that was cut off because a crash had spoiled it. */
export interface CutTail {
  readonly bytes: number;
  readonly kind: 'torn' | 'corrupt';
}

/** A place in a journal: from event `seq` on; `offset` is that of event `offsetSeq`, at or before it. */
export interface JournalCursor {
  readonly seq: number;
  readonly offset: number;
  readonly offsetSeq: number;
}

/**
 * The numbered events of one run, on disk. An event is written and synced (fdatasync) before
 * anybody is told of it, so nothing that was seen is lost, even by a power failure. Events that
 * come while a write is under way are written together by the next one, so a slow disk costs
 * delay and no throughput.
 */
export class JournalFile {
  readonly #run: string;
  readonly #path: string;
  #file: FileHandle | undefined;
  /** Index: where event `firstSeq + n * eventsPerMark` begins. */
  readonly #marks: number[] = [];
  #firstSeq: number;
  /** Last event given a number, and last one on disk. */
  #numbered: number;
  #lastSeq: number;
  #end = 0;
  #waiting: { events: RunEvent[]; records: Buffer[]; settle: (error?: TeletrainError) => void }[] =
    [];
  #flushing: Promise<void> | undefined;
  #failure: TeletrainError | undefined;

  private constructor(run: string, path: string, nextSeq: number) {
    this.#run = run;
    this.#path = path;
    this.#firstSeq = nextSeq;
    this.#numbered = nextSeq - 1;
    this.#lastSeq = nextSeq - 1;
  }

  /**
   * Reads the whole journal once, to index it and to tell its events; cuts a spoiled end off.
   * @param nextSeq number of the first event of a journal that holds none yet.
   */
  static async open(
    run: string,
    path: string,
    nextSeq: number,
    onEvent: (event: RunEvent) => void,
  ): Promise<{ journal: JournalFile; cut: CutTail | undefined }> {
    const journal = new JournalFile(run, path, nextSeq);
    const cut = await journal.#load(onEvent);
    return { journal, cut };
  }

  /** The first event's number, or that of the next event while there is none. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** The last event that is on disk. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /**
   * Numbers events and writes them. Resolves when they are on disk.
   * @throws TeletrainError `journal-failed` when the disk takes no more, for these and all later
   *   events; `event-too-large`.
   */
  async append(bodies: readonly EventBody[], time: number): Promise<readonly RunEvent[]> {
    if (this.#failure) throw this.#failure;
    const events: RunEvent[] = [];
    const records: Buffer[] = [];
    for (const body of bodies) {
      const event: RunEvent = {
        ...body,
        run: this.#run,
        seq: this.#numbered + events.length + 1,
        time,
      };
      records.push(encodeRecord(event));
      events.push(event);
    }
    this.#numbered += events.length;
    const { promise, resolve, reject } = Promise.withResolvers<readonly RunEvent[]>();
    this.#waiting.push({
      events,
      records,
      settle: (error) => (error ? reject(error) : resolve(events)),
    });
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return await promise;
  }

  /** Forgets a failure, so that `append` tries the disk again. */
  retry(): void {
    this.#failure = undefined;
  }

  /** Where reading from event `seq` begins. */
  locate(seq: number): JournalCursor {
    const from = Math.max(seq, this.#firstSeq);
    const wanted = Math.floor((from - this.#firstSeq) / eventsPerMark);
    const mark = Math.max(0, Math.min(wanted, this.#marks.length - 1));
    return {
      seq: from,
      offset: this.#marks[mark] ?? 0,
      offsetSeq: this.#firstSeq + mark * eventsPerMark,
    };
  }

  /**
   * Events from a place on, about 256 KiB of them, as msgpack; none when the place is the end.
   * @throws TeletrainError `journal-failed` when the disk cannot be read.
   */
  async read(cursor: JournalCursor): Promise<{ events: Uint8Array[]; cursor: JournalCursor }> {
    if (cursor.offset >= this.#end) return { events: [], cursor };
    try {
      await using file = await open(this.#path, 'r');
      let scan = scanRecords(await this.#readAt(file, cursor.offset, readBytes));
      if (scan.records.length === 0) {
        scan = scanRecords(await this.#readAt(file, cursor.offset, largestRecord));
      }
      if (scan.records.length === 0) throw new Error(`no record at ${cursor.offset}`);
      const offsetSeq = cursor.offsetSeq + scan.records.length;
      return {
        events: scan.records.slice(cursor.seq - cursor.offsetSeq).map((record) => record.body),
        cursor: {
          seq: Math.max(cursor.seq, offsetSeq),
          offset: cursor.offset + scan.end,
          offsetSeq,
        },
      };
    } catch (cause) {
      throw journalFailed('read', cause);
    }
  }

  /** Waits for what is being written, then lets go of the file; a later append opens it again. */
  async close(): Promise<void> {
    await this.#flushing?.catch(() => {});
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #readAt(file: FileHandle, offset: number, most: number): Promise<Buffer> {
    const length = Math.min(most, this.#end - offset);
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(buffer, 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const records = batch.flatMap((entry) => entry.records);
      try {
        await this.#write(Buffer.concat(records));
      } catch (cause) {
        this.#failure = journalFailed('written', cause);
        this.#numbered = this.#lastSeq;
        for (const entry of [...batch, ...this.#waiting]) entry.settle(this.#failure);
        this.#waiting = [];
        return;
      }
      for (const record of records) this.#took(record.length);
      for (const entry of batch) entry.settle();
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#file ??= await openForAppend(this.#path);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(
          bytes,
          done,
          bytes.length - done,
          this.#end + done,
        );
        done += bytesWritten;
      }
      await this.#file.datasync();
    } catch (error) {
      // What was written in part must not be in front of what is written later.
      await this.#file.truncate(this.#end).catch(() => {});
      throw error;
    }
  }

  /** One more whole record is on disk. */
  #took(bytes: number): void {
    if ((this.#lastSeq + 1 - this.#firstSeq) % eventsPerMark === 0) this.#marks.push(this.#end);
    this.#lastSeq += 1;
    this.#end += bytes;
  }

  async #load(onEvent: (event: RunEvent) => void): Promise<CutTail | undefined> {
    let file: FileHandle;
    try {
      file = await open(this.#path, 'r');
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw journalFailed('read', error);
    }
    await using reading = file;
    const { size } = await reading.stat();
    let kind: CutTail['kind'] = 'torn';
    let chunk = readBytes;
    while (this.#end < size) {
      const buffer = Buffer.allocUnsafe(Math.min(chunk, size - this.#end));
      const { bytesRead } = await reading.read(buffer, 0, buffer.length, this.#end);
      const scan = scanRecords(buffer.subarray(0, bytesRead));
      let inOrder = true;
      for (const record of scan.records) {
        const event = decodeEvent(record.body);
        if (this.#end === 0) {
          this.#firstSeq = event.seq;
          this.#lastSeq = event.seq - 1;
        }
        inOrder = event.seq === this.#lastSeq + 1 && event.run === this.#run;
        if (!inOrder) break;
        this.#took(record.end - record.offset);
        onEvent(event);
      }
      if (!inOrder || scan.tail === 'corrupt') {
        kind = 'corrupt';
        break;
      }
      if (scan.records.length > 0) chunk = readBytes;
      else if (chunk < largestRecord && this.#end + chunk < size) chunk = largestRecord;
      else break;
    }
    this.#numbered = this.#lastSeq;
    const bytes = size - this.#end;
    if (bytes === 0) return undefined;
    await using cutting = await open(this.#path, 'r+');
    await cutting.truncate(this.#end);
    await cutting.datasync();
    return { bytes, kind };
  }
}

async function openForAppend(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    return await open(path, 'wx+', 0o600);
  }
}

function journalFailed(what: 'read' | 'written', cause: unknown): TeletrainError {
  const full = isSystemError(cause, 'ENOSPC', 'EDQUOT');
  const why = full ? 'the disk is full' : cause instanceof Error ? cause.message : String(cause);
  return new TeletrainError('journal-failed', `The run's journal cannot be ${what}: ${why}.`, {
    hint: full
      ? 'Free some space on the worker, then resume the run.'
      : "Look at the worker's disk, then resume the run.",
    cause,
  });
}
