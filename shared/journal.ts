import { crc32 } from 'node:zlib';
import { TeletrainError } from './errors.ts';
import { eventContent, type RunEvent, runEventSchema } from './events.ts';
import { limits } from './limits.ts';
import { pack, unpack } from './msgpack.ts';

/**
 * A journal is records one after the other, and nothing else (PROTOCOL.md, "Journal"). One record,
 * little-endian:
 *
 *   0  u32  length of the body in bytes, 1 to 1 MiB
 *   4  u32  CRC-32 (IEEE, as in zip) of the body
 *   8       the event, msgpack
 *
 * Records are only ever appended, so what a crash can spoil is the end: a reader takes the whole
 * records in front of the first one that is not, and a writer cuts the rest off before it appends.
 */

export const recordHeadBytes = 8;

export interface JournalRecord {
  /** Where its head begins in the scanned bytes. */
  readonly offset: number;
  /** Where the next record begins. */
  readonly end: number;
  /** The event's msgpack, a view; its checksum is right. */
  readonly body: Uint8Array;
}

export interface JournalScan {
  readonly records: readonly JournalRecord[];
  /** Where the whole records end and the tail begins, if there is one. */
  readonly end: number;
  /**
   * What follows `end`. `torn`: a record that may only be cut short; with more bytes, scan again
   * from `end`. `corrupt`: bytes that can never become a record.
   */
  readonly tail: 'none' | 'torn' | 'corrupt';
}

/**
 * @returns the record's bytes, to be appended in one write.
 * @throws TeletrainError `event-too-large` when it could not be sent in one frame either.
 */
export function encodeRecord(event: RunEvent): Buffer {
  const body = pack(eventContent(event));
  if (body.length > limits.eventBytes) {
    throw new TeletrainError(
      'event-too-large',
      `A ${event.type} event of ${body.length} bytes is over the limit of ${limits.eventBytes}.`,
      { hint: 'Ask for fewer pictures at once, for example --set sampleCount=100.' },
    );
  }
  return sealRecord(body);
}

/** A record around any body. Other append-only files of ours are made of such records too. */
export function sealRecord(body: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(recordHeadBytes + body.length);
  record.writeUInt32LE(body.length, 0);
  record.writeUInt32LE(crc32(body), 4);
  record.set(body, recordHeadBytes);
  return record;
}

/**
 * The whole records in `bytes`, which begin at a record's start. To read a long journal by chunks,
 * put what is left from `end` in front of the next chunk and scan that.
 */
export function scanRecords(bytes: Uint8Array): JournalScan {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: JournalRecord[] = [];
  let offset = 0;
  while (offset < buffer.length) {
    if (buffer.length - offset < recordHeadBytes) return { records, end: offset, tail: 'torn' };
    const length = buffer.readUInt32LE(offset);
    // A length of zero is what a file system may leave behind instead of what was written.
    if (length === 0 || length > limits.eventBytes) {
      return { records, end: offset, tail: 'corrupt' };
    }
    const bodyAt = offset + recordHeadBytes;
    const end = bodyAt + length;
    if (end > buffer.length) return { records, end: offset, tail: 'torn' };
    const body = buffer.subarray(bodyAt, end);
    if (crc32(body) !== buffer.readUInt32LE(offset + 4)) {
      return { records, end: offset, tail: 'corrupt' };
    }
    records.push({ offset, end, body });
    offset = end;
  }
  return { records, end: offset, tail: 'none' };
}

/** @throws TeletrainError `journal-unreadable`: the record is whole, but not an event this version knows. */
export function decodeEvent(body: Uint8Array): RunEvent {
  let value: unknown;
  try {
    value = unpack(body);
  } catch (cause) {
    throw unreadable(cause);
  }
  const parsed = runEventSchema.safeParse(value);
  if (!parsed.success) throw unreadable(parsed.error);
  return parsed.data;
}

function unreadable(cause: unknown): TeletrainError {
  return new TeletrainError('journal-unreadable', 'A run holds an event that cannot be read.', {
    hint: 'It may come from a newer teletrain: update this one.',
    cause,
  });
}
