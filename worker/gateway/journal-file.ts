import { TeletrainError } from '../../shared/errors.ts';
import type { NewEvent, RunEvent } from '../../shared/events.ts';
import { decodeEvent, recordHeadBytes, scanRecords } from '../../shared/journal.ts';
import { limits } from '../../shared/limits.ts';
import type { OpenFile, System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';
import { isSystemError } from './durable-file.ts';
import { type JournalBatch, JournalWriter } from './journal-writer.ts';
import { RecordFile } from './record-file.ts';

const readBytes = 256 * 1024;
const largestRecord = recordHeadBytes + limits.eventBytes;
/** An index entry a so many events: replay starts at most this many before what was asked for. */
const eventsPerMark = 64;
const lifeBytes = 9;

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

/** What is on disk of a journal when it is opened. */
interface Found {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly end: number;
  readonly marks: number[];
  readonly cut: CutTail | undefined;
}

/**
 * The numbered events of one run, on disk: drives the machine of journal-writer.ts, and reads. An
 * event is written and synced (fdatasync) before anybody is told of it, so nothing that was seen is
 * lost, even by a power failure.
 */
export class JournalFile {
  readonly #path: string;
  readonly #system: System;
  readonly #writer: JournalWriter;
  readonly #file: RecordFile;
  readonly #firstSeq: number;
  /** Index: where event `firstSeq + n * eventsPerMark` begins. */
  readonly #marks: number[];
  readonly #settle = new Map<JournalBatch, PromiseWithResolvers<void>>();
  #flushing: Promise<void> | undefined;

  private constructor(run: string, path: string, found: Found, system: System) {
    const { firstSeq, lastSeq, end, marks, cut } = found;
    // Somebody may have seen what was cut off, under the numbers that are given next.
    const isNewLife = cut !== undefined || lastSeq < firstSeq;
    const life = isNewLife ? system.random.bytes(lifeBytes).toString('base64url') : undefined;
    this.#path = path;
    this.#system = system;
    this.#writer = new JournalWriter(run, lastSeq, life);
    this.#file = new RecordFile(path, { end, isSpoiled: false }, system);
    this.#firstSeq = firstSeq;
    this.#marks = marks;
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
    system: System = nodeSystem,
  ): Promise<{ journal: JournalFile; cut: CutTail | undefined }> {
    const found = await load(run, path, nextSeq, onEvent, system);
    return { journal: new JournalFile(run, path, found, system), cut: found.cut };
  }

  /** The first event's number, or that of the next event while there is none. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** The last event that is on disk. */
  get lastSeq(): number {
    return this.#writer.lastSeq;
  }

  /**
   * Numbers events and writes them. Resolves when they are on disk.
   * @throws TeletrainError `journal-failed` when the disk takes no more, for these and all later
   *   events; `event-too-large`.
   */
  async append(bodies: readonly NewEvent[], time: number): Promise<readonly RunEvent[]> {
    const batch = this.#writer.append(bodies, time);
    const onDisk = Promise.withResolvers<void>();
    this.#settle.set(batch, onDisk);
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    await onDisk.promise;
    return batch.events;
  }

  /** Forgets a failure, so that `append` tries the disk again. */
  retry(): void {
    this.#writer.retry();
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
    if (cursor.offset >= this.#file.end) return { events: [], cursor };
    try {
      await using file = await this.#system.disk.open(this.#path, 'r');
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
    await this.#flushing;
    await this.#file.close();
  }

  async #readAt(file: OpenFile, offset: number, most: number): Promise<Buffer> {
    const length = Math.min(most, this.#file.end - offset);
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(buffer, 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }

  async #flush(): Promise<void> {
    for (let records = this.#writer.next(); records; records = this.#writer.next()) {
      let offset = this.#file.end;
      try {
        await this.#file.append(Buffer.concat(records));
      } catch (cause) {
        const failure = journalFailed('written', cause);
        this.#settled(this.#writer.refused(failure), failure);
        return;
      }
      let seq = this.lastSeq + 1;
      for (const { length } of records) {
        if (isMarked(seq, this.#firstSeq)) this.#marks.push(offset);
        offset += length;
        seq += 1;
      }
      this.#settled(this.#writer.written());
    }
  }

  #settled(batches: readonly JournalBatch[], error?: TeletrainError): void {
    for (const batch of batches) {
      const onDisk = this.#settle.get(batch);
      this.#settle.delete(batch);
      if (error) onDisk?.reject(error);
      else onDisk?.resolve();
    }
  }
}

const isMarked = (seq: number, firstSeq: number): boolean => (seq - firstSeq) % eventsPerMark === 0;

async function load(
  run: string,
  path: string,
  nextSeq: number,
  onEvent: (event: RunEvent) => void,
  { disk }: System,
): Promise<Found> {
  const marks: number[] = [];
  let firstSeq = nextSeq;
  let lastSeq = nextSeq - 1;
  let end = 0;
  let file: OpenFile;
  try {
    file = await disk.open(path, 'r');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return { firstSeq, lastSeq, end, marks, cut: undefined };
    throw journalFailed('read', error);
  }
  await using reading = file;
  const { size } = await reading.stat();
  let kind: CutTail['kind'] = 'torn';
  let chunk = readBytes;
  while (end < size) {
    const buffer = Buffer.allocUnsafe(Math.min(chunk, size - end));
    const { bytesRead } = await reading.read(buffer, 0, buffer.length, end);
    const scan = scanRecords(buffer.subarray(0, bytesRead));
    let inOrder = true;
    for (const record of scan.records) {
      const event = decodeEvent(record.body);
      if (end === 0) {
        firstSeq = event.seq;
        lastSeq = event.seq - 1;
      }
      inOrder = event.seq === lastSeq + 1 && event.run === run;
      if (!inOrder) break;
      lastSeq += 1;
      if (isMarked(lastSeq, firstSeq)) marks.push(end);
      end += record.end - record.offset;
      onEvent(event);
    }
    if (!inOrder || scan.tail === 'corrupt') {
      kind = 'corrupt';
      break;
    }
    if (scan.records.length > 0) chunk = readBytes;
    else if (chunk < largestRecord && end + chunk < size) chunk = largestRecord;
    else break;
  }
  const bytes = size - end;
  if (bytes === 0) return { firstSeq, lastSeq, end, marks, cut: undefined };
  await using cutting = await disk.open(path, 'r+');
  await cutting.truncate(end);
  await cutting.datasync();
  return { firstSeq, lastSeq, end, marks, cut: { bytes, kind } };
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
