import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TeletrainError } from '../../../shared/errors.ts';
import { eventToJson, type RunEvent } from '../../../shared/events.ts';
import { decodeEvent, encodeRecord, scanRecords, sealRecord } from '../../../shared/journal.ts';
import { limits } from '../../../shared/limits.ts';
import { pack } from '../../../shared/msgpack.ts';

const envelope = { run: 'one', time: 1_795_000_000_000 };
const events: RunEvent[] = [
  { ...envelope, seq: 1, type: 'state', state: 'starting' },
  {
    ...envelope,
    seq: 2,
    type: 'metric',
    step: 1,
    epoch: 1,
    split: 'train',
    per: 'step',
    name: 'loss',
    value: Number.NaN,
  },
  {
    ...envelope,
    seq: 3,
    type: 'sample',
    step: 1,
    epoch: 1,
    name: 'noise',
    count: 1,
    height: 2,
    width: 2,
    columns: 1,
    givenRows: 0,
    pixels: new Uint8Array([1, 2, 3, 4]),
  },
  { ...envelope, seq: 4, type: 'log', level: 'info', message: 'ünïcode' },
  { ...envelope, seq: 5, type: 'state', state: 'done', reason: 'epochs' },
];
const journal = Buffer.concat(events.map(encodeRecord));
const ends = events.map(
  (_, index) => Buffer.concat(events.slice(0, index + 1).map(encodeRecord)).length,
);

const read = (bytes: Uint8Array) =>
  scanRecords(bytes).records.map((record) => decodeEvent(record.body));
const comparable = (event: RunEvent) =>
  event.type === 'sample' ? { ...event, pixels: [...event.pixels] } : event;

describe('a journal', () => {
  test('gives back the events that were written, NaN and pictures included', () => {
    expect(read(journal).map(comparable)).toEqual(events.map(comparable));
    expect(scanRecords(journal)).toMatchObject({ end: journal.length, tail: 'none' });
    expect(scanRecords(new Uint8Array(0))).toEqual({ records: [], end: 0, tail: 'none' });
  });

  test('cut short at any byte gives the whole records in front of the cut', () => {
    for (let length = 0; length < journal.length; length += 1) {
      const scan = scanRecords(journal.subarray(0, length));
      const whole = ends.filter((end) => end <= length).length;
      expect(scan.records).toHaveLength(whole);
      expect(scan.end).toBe(ends[whole - 1] ?? 0);
      expect(scan.tail).toBe(scan.end === length ? 'none' : 'torn');
    }
  });

  test('with any one byte changed gives the records in front of it, and never a wrong one', () => {
    for (let at = 0; at < journal.length; at += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = Buffer.from(journal);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        const scan = scanRecords(bytes);
        const whole = ends.filter((end) => end <= at).length;
        expect(scan.records).toHaveLength(whole);
        expect(scan.tail).not.toBe('none');
        expect(scan.records.map((record) => comparable(decodeEvent(record.body)))).toEqual(
          events.slice(0, whole).map(comparable),
        );
      }
    }
  });

  test('made of whatever bytes never throws, and a tail of zeros is no record', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.nat({ max: journal.length }),
        (noise, length) => {
          const scan = scanRecords(Buffer.concat([journal.subarray(0, length), noise]));
          expect(scan.records.length).toBeGreaterThanOrEqual(
            ends.filter((end) => end <= length).length,
          );
        },
      ),
    );
    expect(scanRecords(Buffer.concat([journal, Buffer.alloc(64)]))).toMatchObject({
      end: journal.length,
      tail: 'corrupt',
    });
  });

  test('read by chunks of any size gives the same events', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: journal.length }), (size) => {
        const found: unknown[] = [];
        let rest: Uint8Array = new Uint8Array(0);
        for (let at = 0; at < journal.length; at += size) {
          const bytes = Buffer.concat([rest, journal.subarray(at, at + size)]);
          const scan = scanRecords(bytes);
          found.push(...scan.records.map((record) => decodeEvent(record.body).seq));
          rest = bytes.subarray(scan.end);
        }
        expect(rest).toHaveLength(0);
        expect(found).toEqual(events.map((event) => event.seq));
      }),
    );
  });

  test('takes no event that a frame could not carry', () => {
    const pixels = new Uint8Array(limits.headerBytes);
    const large: RunEvent = {
      ...envelope,
      seq: 1,
      type: 'sample',
      step: 1,
      epoch: 1,
      name: 'noise',
      count: 1,
      height: 1,
      width: 1,
      columns: 1,
      givenRows: 0,
      pixels,
    };
    expect(() => encodeRecord(large)).toThrow(expect.objectContaining({ code: 'event-too-large' }));
  });

  test('says that what is no event is unreadable, not what a library thinks of it', () => {
    for (const body of [
      pack({ type: 'dance', run: 'one', time: 1 }),
      pack({ type: 'dance', seq: 0, run: 'one', time: 1 }),
      pack({ seq: 1, run: 'one', time: 1 }),
      pack(null),
      Buffer.from([0xc1]),
    ]) {
      const [record] = scanRecords(sealRecord(body)).records;
      expect(record).toBeDefined();
      expect(() => decodeEvent(record?.body ?? body)).toThrow(TeletrainError);
    }
  });

  test("keeps a newer version's events and fields to the byte, and counts them", () => {
    const pictures = {
      type: 'confusion',
      counts: [
        [3, 1.5],
        [0, Number.NaN],
      ],
      pixels: Buffer.from([0, 255]),
    };
    const envelope = { run: 'one', seq: 7, time: 1795395600000.5, life: 'a' };
    const newer = [
      { ...pictures, ...envelope },
      { type: 'rewind', toStep: 3, because: { of: ['x'] }, ...envelope, weather: { wind: 1 } },
      // Of a type that is known, in a state that is not.
      { type: 'state', state: 'queued', behind: 2, ...envelope },
    ];
    const read = newer.map((event) => {
      const record = sealRecord(pack(event));
      const [found] = scanRecords(record).records;
      const decoded = decodeEvent(found?.body ?? record);
      expect(encodeRecord(decoded).equals(record)).toBe(true);
      return decoded;
    });
    expect(read.map(({ type, seq, life }) => [type, seq, life])).toEqual([
      ['unknown', 7, 'a'],
      ['rewind', 7, 'a'],
      ['unknown', 7, 'a'],
    ]);
    expect(read.map((event) => eventToJson(event))).toEqual([
      {
        ...envelope,
        type: 'confusion',
        counts: [
          [3, 1.5],
          [0, 'NaN'],
        ],
        pixels: 'AP8=',
      },
      newer[1],
      newer[2],
    ]);
  });
});
