import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type RunEvent, runEventSchema } from '../../shared/events.ts';
import { encodeFrame } from '../../shared/frames.ts';
import { encodeRecord, sealRecord } from '../../shared/journal.ts';
import { type FrameKind, frameKinds } from '../../shared/messages.ts';
import { pack } from '../../shared/msgpack.ts';
import { encodeBatch } from '../../shared/tensors/batch.ts';
import { batches, frames, numberedEvents } from './examples.ts';
import { toNotation } from './notation.ts';

/** The examples as the files in `vectors/` hold them; `make-vectors.ts` writes these. */

export interface FrameVector {
  readonly name: string;
  readonly kind: FrameKind;
  readonly header: Record<string, unknown>;
  readonly payload: string;
  readonly bytes: string;
}
export interface BatchVector {
  readonly name: string;
  readonly list: readonly unknown[];
  /** What follows the list: parts, each padded to a multiple of 16. */
  readonly raw: string;
  readonly bytes: string;
}
export interface RecordVector {
  readonly name: string;
  readonly event: Record<string, unknown>;
  readonly bytes: string;
}
export interface MalformedVector {
  readonly name: string;
  readonly code: string;
  /** `frame`, `batch`: what any reader refuses; `header`, `message`: what a worker does; `record`: no event. */
  readonly of: 'frame' | 'header' | 'message' | 'batch' | 'record';
  readonly bytes: string;
}
/** Bytes that no encoder of ours writes and every reader takes. */
export type AcceptedVector = Omit<FrameVector, 'payload'>;
export interface Vectors {
  readonly accepted: readonly AcceptedVector[];
  readonly frames: readonly FrameVector[];
  readonly batches: readonly BatchVector[];
  readonly records: readonly RecordVector[];
  readonly malformed: readonly MalformedVector[];
}

export const fileOf = (name: keyof Vectors): string =>
  fileURLToPath(new URL(`vectors/${name}.json`, import.meta.url));

/** What stands in the repository. */
export function readVectors(): Vectors {
  // The test compares every field of it with what the code makes of the examples.
  const read = (name: keyof Vectors) => JSON.parse(readFileSync(fileOf(name), 'utf8'));
  return {
    frames: read('frames'),
    batches: read('batches'),
    records: read('records'),
    malformed: read('malformed'),
    accepted: read('accepted'),
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const noted = (value: unknown) => toNotation(value) as Record<string, unknown>;

export function makeVectors(): Vectors {
  return {
    frames: frames.map(({ name, kind, header, payload = new Uint8Array(0) }) => ({
      ...{ name, kind, header: noted(header), payload: hex(payload) },
      bytes: hex(encodeFrame(kind, header, payload)),
    })),
    batches: Object.entries(batches).map(([name, { list, raw }]) => {
      const parts = encodeBatch(list, raw);
      const bytes = Buffer.concat(parts);
      const rawBytes = Buffer.concat(parts.slice(2));
      return { name, list: list.map(noted), raw: hex(rawBytes), bytes: hex(bytes) };
    }),
    records: numberedEvents.map(({ name, event }) => ({
      ...{ name, event: noted(event), bytes: hex(encodeRecord(numbered(event))) },
    })),
    accepted: accepted().map(({ header, packed, ...vector }) => {
      return { ...vector, header: noted(header), bytes: hex(frameOf(vector.kind, packed)) };
    }),
    malformed: malformed().map(({ bytes, ...vector }) => ({ ...vector, bytes: hex(bytes) })),
  };
}

/** As the gateway has it: checked. */
const numbered = (event: unknown): RunEvent => runEventSchema.parse(event);

/** A frame around a header that is msgpack already. */
function frameOf(kind: FrameKind, packed: string): Buffer {
  const header = Buffer.from(packed.replaceAll(' ', ''), 'hex');
  const bytes = Buffer.alloc(16 + Math.ceil(header.length / 16) * 16);
  bytes.set([0x54, 1, frameKinds[kind]]);
  bytes.writeUInt32LE(header.length, 4);
  bytes.set(header, 16);
  return bytes;
}

function accepted(): (Pick<FrameVector, 'name' | 'kind' | 'header'> & { packed: string })[] {
  const ping = (name: string, time: number, packed: string) => {
    return { name: `a ping ${name}`, kind: 'ping' as const, header: { time }, packed };
  };
  const number = (name: string, given: number, packed: string) => {
    const header = { session: 'dF3kq0Zl-8RtY_2a', number: given, got: 0 };
    const session = 'a7 73657373696f6e b0 6446336b71305a6c2d385274595f3261';
    const rest = `a6 6e756d626572 ${packed} a3 676f74 00`;
    const whole = `83 ${session} ${rest}`;
    return { name: `commands ${name}`, kind: 'commands' as const, header, packed: whole };
  };
  return [
    ping('whose time is a 64-bit integer', 1_795_395_600_000, '81 a474696d65 cf000001a205eabe80'),
    ping('whose time is a signed one', 1_795_395_600_000, '81 a474696d65 d3000001a205eabe80'),
    ping('whose time is a 32-bit float', 1.5, '81 a474696d65 ca3fc00000'),
    ping('whose map and key are long ones', 1, 'df00000001 db00000004 74696d65 01'),
    number('whose number is a byte', 7, 'cc07'),
    number('whose number is a signed byte', 7, 'd007'),
    number('whose number has 16 bits', 7, 'cd0007'),
    number('whose number has 32 bits', 7, 'd200000007'),
    number('whose number has 64 bits', 7, 'cf0000000000000007'),
    number('whose number is a float', 7, 'cb401c000000000000'),
  ];
}

function malformed(): (Omit<MalformedVector, 'bytes'> & { bytes: Uint8Array })[] {
  const ping = encodeFrame('ping', { time: 1_795_395_600_000 });
  const changed = (at: number, byte: number): Buffer => {
    const bytes = Buffer.from(ping);
    bytes[at] = byte;
    return bytes;
  };
  const withHeader = (packed: string): Buffer => frameOf('ping', packed);
  const frame = (name: string, bytes: Uint8Array) => {
    return { name, code: 'malformed-frame', of: 'frame' as const, bytes };
  };
  const header = (name: string, packed: string) => {
    return { name, code: 'malformed-frame', of: 'header' as const, bytes: withHeader(packed) };
  };
  const message = (name: string, kind: FrameKind, header: unknown) => {
    const bytes = encodeFrame(kind, header);
    return { name, code: 'malformed-message', of: 'message' as const, bytes };
  };
  const [head = Buffer.alloc(0), list = Buffer.alloc(0)] = encodeBatch([['read', 1, 3]]);
  const batch = (name: string, bytes: Uint8Array) => {
    return { name, code: 'malformed-batch', of: 'batch' as const, bytes };
  };
  return [
    frame('shorter than a prefix', ping.subarray(0, 15)),
    frame('without its last byte', ping.subarray(0, 31)),
    frame('with a byte too many', Buffer.concat([ping, Buffer.of(0)])),
    frame('that does not begin with T', changed(0, 0x55)),
    frame('of format 2', changed(1, 2)),
    frame('of kind 0', changed(2, 0)),
    frame('whose header is longer than the message', changed(5, 1)),
    frame('whose payload is longer than the message', changed(8, 1)),
    frame('whose header is empty', changed(4, 0)),
    frame('whose header is cut off', withHeader('81a474696d65cb427a20')),
    frame('whose header is followed by something', withHeader('81a474696d6501c0')),
    frame('whose header is the byte that msgpack never uses', withHeader('c1')),
    header('that has a key twice', '82a474696d6501a474696d6502'),
    header('that has a number for a key', '810102'),
    header('that has an extension type', '81a474696d65d6ff00000000'),
    message('a hello without a client', 'hello', {
      protocol: { min: 1, max: 1 },
      auth: { token: 'x' },
    }),
    message('a request whose id is empty', 'request', { id: '', method: 'run.list', params: {} }),
    message('a ping whose time is text', 'ping', { time: 'now' }),
    message('a ping whose time is nil', 'ping', { time: null }),
    message('a cancel whose header is an array', 'cancel', ['a1']),
    message('commands of a session with a short name', 'commands', {
      ...{ session: 'short', number: 1, got: 0 },
    }),
    batch('shorter than its head', head.subarray(0, 12)),
    batch('whose list is cut off', Buffer.concat([head, list.subarray(0, 3)])),
    batch('whose list is a map', Buffer.concat(encodeBatch({} as unknown as unknown[]))),
    {
      name: 'an event without a number',
      code: 'journal-unreadable',
      of: 'record',
      bytes: sealRecord(pack({ type: 'rewind', toStep: 1, run: 'one', time: 1 })),
    },
  ];
}
