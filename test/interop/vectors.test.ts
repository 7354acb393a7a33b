import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { TeletrainError } from '../../shared/errors.ts';
import { eventBodySchema, runEventSchema } from '../../shared/events.ts';
import { decodeFrame, encodeFrame } from '../../shared/frames.ts';
import { decodeEvent, encodeRecord, scanRecords } from '../../shared/journal.ts';
import { frameKinds, methods } from '../../shared/messages.ts';
import { decodeBatch, encodeBatch } from '../../shared/tensors/batch.ts';
import { parseCommand, parseResult } from '../../shared/tensors/commands.ts';
import { Session } from '../../worker/gateway/session.ts';
import { fromHex, fromNotation, toNotation } from './notation.ts';
import { pathOf, pythonOfClient } from './python.ts';
import { type MalformedVector, makeVectors, readVectors } from './vectors.ts';

const vectors = readVectors();
const python = pythonOfClient();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the vectors in the repository are what the code makes of the examples', () => {
  expect(vectors).toEqual(makeVectors());
});

describe('there is a vector', () => {
  test.each(Object.keys(frameKinds))('of the kind %s', (kind) => {
    expect(vectors.frames.some((vector) => vector.kind === kind)).toBe(true);
  });

  test.each(Object.keys(methods))('of what %s asks and what answers it', (method) => {
    const asked = vectors.frames.find(({ name }) => name === `request ${method}`);
    const answered = vectors.frames.find(({ name }) => name === `response ${method}`);
    expect(asked?.header).toMatchObject({ method });
    expect(answered?.header.id).toBe(asked?.header.id);
  });

  test.each(eventBodySchema.options.map(({ shape }) => shape.type.value))(
    'of an event of type %s, in a frame and in a journal',
    (type) => {
      expect(vectors.records.some(({ event }) => event.type === type)).toBe(true);
      const sent = vectors.frames.filter(({ kind }) => kind === 'event');
      expect(sent.some(({ header }) => JSON.stringify(header).includes(`"${type}"`))).toBe(true);
    },
  );
});

describe('encoding gives the bytes, and decoding the value, of', () => {
  test.each(vectors.frames)('$name', ({ kind, header, payload, bytes }) => {
    const frame = decodeFrame(fromHex(bytes));
    expect(frame.kind).toBe(kind);
    expect(toNotation(frame.header)).toEqual(header);
    expect(hex(frame.payload)).toBe(payload);
    expect(hex(encodeFrame(kind, fromNotation(header), fromHex(payload)))).toBe(bytes);
  });

  test.each(vectors.batches)('a batch of $name', ({ name, list, raw, bytes }) => {
    const batch = decodeBatch(fromHex(bytes));
    expect(toNotation(batch.list)).toEqual(list);
    expect(hex(batch.raw)).toBe(raw);
    expect(hex(Buffer.concat(encodeBatch(fromNotation(list) as unknown[], [fromHex(raw)])))).toBe(
      bytes,
    );
    const parse: (entry: unknown) => unknown = name === 'commands' ? parseCommand : parseResult;
    expect(toNotation(batch.list.map((entry) => parse(entry)))).toEqual(list);
  });

  test.each(vectors.records)('the record of $name', ({ event, bytes }) => {
    const [record] = scanRecords(Buffer.from(bytes, 'hex')).records;
    expect(toNotation(decodeEvent(record?.body ?? Buffer.alloc(0)))).toEqual(event);
    expect(hex(encodeRecord(runEventSchema.parse(fromNotation(event))))).toBe(bytes);
  });
});

test.each(vectors.accepted)('$name is read, though nobody of ours writes it', (vector) => {
  const frame = decodeFrame(fromHex(vector.bytes));
  expect(frame).toMatchObject({ kind: vector.kind, header: vector.header });
  expect(hex(encodeFrame(vector.kind, vector.header))).not.toBe(vector.bytes);
});

/** What it comes to: the code of the error, or of the close. */
function refusal({ of, bytes }: MalformedVector): string | undefined {
  const given = fromHex(bytes);
  if (of === 'message') {
    const session = new Session(0);
    const { kind } = decodeFrame(given);
    const hello = vectors.frames.find((vector) => vector.kind === 'hello');
    if (kind !== 'hello') {
      session.receive(fromHex(hello?.bytes ?? ''), 0);
      const worker = { id: 'w', name: 'w', version: '1', epoch: 'e', startedAt: 0 };
      session.welcome({ worker, capabilities: [], limits: {}, role: 'control' }, 0);
    }
    const steps = session.receive(given, 0);
    return steps.flatMap((step) => (step.do === 'close' ? [step.reason] : []))[0];
  }
  const read = {
    frame: decodeFrame,
    header: decodeFrame,
    batch: decodeBatch,
    record: (record: Uint8Array) =>
      scanRecords(Buffer.from(record)).records.map(({ body }) => decodeEvent(body)),
  }[of];
  try {
    read(given);
  } catch (error) {
    if (error instanceof TeletrainError) return error.code;
    throw error;
  }
  return undefined;
}

test.each(vectors.malformed)('refused as $code: $of $name', (vector) => {
  expect(refusal(vector)).toBe(vector.code);
});

test.runIf(python !== undefined)('the client in Python reads and writes the same bytes', () => {
  const args = [pathOf('check_vectors.py'), pathOf('vectors')];
  const checked = Number(execFileSync(python ?? '', args, { encoding: 'utf8' }));
  const { frames, batches, records, accepted, malformed } = vectors;
  const refused = malformed.filter(({ of }) => of === 'frame' || of === 'batch');
  const all = [frames, batches, records, accepted, refused];
  expect(checked).toBe(all.reduce((sum, { length }) => sum + length, 0));
});
