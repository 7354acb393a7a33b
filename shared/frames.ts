import { TeletrainError } from './errors.ts';
import { limits } from './limits.ts';
import { type FrameKind, frameKinds } from './messages.ts';
import { MsgpackReader } from './msgpack-reader.ts';
import { MsgpackWriter } from './msgpack-writer.ts';

/**
 * One WebSocket binary message is one frame (PROTOCOL.md, "Frames"), little-endian:
 *
 *   0  u8   0x54 'T'
 *   1  u8   frame format, 1
 *   2  u8   kind
 *   3  u8   zero
 *   4  u32  length of the header in bytes
 *   8  u32  length of the payload in bytes
 *  12  u32  zero
 *  16       header, msgpack, then zeros up to a multiple of 16
 *           payload, raw bytes
 *
 * The payload starts at a multiple of 16, so that a tensor in it can be viewed without a copy when
 * the message itself is aligned. Raw bytes never pass through msgpack as typed arrays.
 */

const prefixBytes = 16;
const magic = 0x54;
const frameFormat = 1;

export interface Frame {
  /** `unknown`: a kind of a newer version, which an older end leaves aside. */
  readonly kind: FrameKind | 'unknown';
  /** Of a known kind; not checked yet: parse it with the kind's schema. */
  readonly header: unknown;
  /** A view into the message; copy it to keep it. */
  readonly payload: Uint8Array;
}

const kindNames = new Map<number, FrameKind>(
  Object.entries(frameKinds).map(([name, code]) => [code, name as FrameKind]),
);
const noBytes = Buffer.alloc(0);
/** Writing is done before anybody else writes: one is enough. */
const writer = new MsgpackWriter();

const aligned = (bytes: number): number => (bytes + 15) & ~15;

/** @throws TeletrainError `frame-too-large`; a programming error (TypeError) for a typed array that is not bytes. */
export function encodeFrame(
  kind: FrameKind,
  header: unknown,
  payload: Uint8Array = noBytes,
): Buffer {
  const headerBytes = writer.write(header);
  const payloadAt = prefixBytes + aligned(headerBytes);
  checkSize(kind, headerBytes, payloadAt + payload.byteLength);
  // Small ones share their memory: one of its own takes longer to get than all the rest of this.
  const frame = Buffer.allocUnsafe(payloadAt + payload.byteLength);
  writePrefix(frame, kind, headerBytes, payload.byteLength);
  writer.copyTo(frame, prefixBytes);
  if (payload.byteLength > 0) frame.set(payload, payloadAt);
  return frame;
}

/**
 * A frame whose payload is put together from parts: each is copied once, into the frame. Its buffer
 * is its own, so that it can be given to another thread.
 * @throws TeletrainError `frame-too-large`.
 */
export function encodeFrameOfParts(
  kind: FrameKind,
  header: unknown,
  payload: readonly Uint8Array[],
): Buffer {
  const headerBytes = writer.write(header);
  const payloadAt = prefixBytes + aligned(headerBytes);
  let payloadBytes = 0;
  for (const part of payload) payloadBytes += part.byteLength;
  checkSize(kind, headerBytes, payloadAt + payloadBytes);
  const frame = Buffer.allocUnsafeSlow(payloadAt + payloadBytes);
  writePrefix(frame, kind, headerBytes, payloadBytes);
  writer.copyTo(frame, prefixBytes);
  let at = payloadAt;
  for (const part of payload) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}

/**
 * A frame around a payload before which, in the same memory, there is room for the rest: nothing is copied.
 * That room is overwritten; where it is too small the payload is copied into a frame of its own.
 * @throws TeletrainError `frame-too-large`.
 */
export function encodeFrameInPlace(
  kind: FrameKind,
  header: unknown,
  payload: Uint8Array,
): Uint8Array {
  const headerBytes = writer.write(header);
  const before = prefixBytes + aligned(headerBytes);
  if (payload.byteOffset < before) return encodeFrame(kind, header, payload);
  checkSize(kind, headerBytes, before + payload.byteLength);
  const start = payload.byteOffset - before;
  const frame = Buffer.from(payload.buffer, start, before + payload.byteLength);
  writePrefix(frame, kind, headerBytes, payload.byteLength);
  writer.copyTo(frame, prefixBytes);
  return frame;
}

/** One field, the fixed string of five letters `event`; its value follows. */
const eventField = Buffer.from([0x81, 0xa5, ...Buffer.from('event')]);

/**
 * An event frame around an event that is msgpack already, as a journal holds it.
 * @throws TeletrainError `frame-too-large`.
 */
export function encodeEventFrame(packedEvent: Uint8Array): Buffer {
  const headerBytes = eventField.length + packedEvent.byteLength;
  const total = prefixBytes + aligned(headerBytes);
  checkSize('event', headerBytes, total);
  const frame = Buffer.allocUnsafe(total);
  writePrefix(frame, 'event', headerBytes, 0);
  frame.set(eventField, prefixBytes);
  frame.set(packedEvent, prefixBytes + eventField.length);
  return frame;
}

/** @throws TeletrainError `frame-too-large`. */
function checkSize(kind: FrameKind, headerBytes: number, total: number): void {
  if (headerBytes <= limits.headerBytes && total <= limits.frameBytes) return;
  throw new TeletrainError(
    'frame-too-large',
    `A ${kind} message of ${total} bytes is over the limit of ${limits.frameBytes}.`,
    { hint: 'Send the data in chunks.' },
  );
}

/** Into memory that holds anything: the zeros after the header, too. */
function writePrefix(
  frame: Buffer,
  kind: FrameKind,
  headerBytes: number,
  payloadBytes: number,
): void {
  frame[0] = magic;
  frame[1] = frameFormat;
  frame[2] = frameKinds[kind];
  frame[3] = 0;
  frame.writeUInt32LE(headerBytes, 4);
  frame.writeUInt32LE(payloadBytes, 8);
  frame.writeUInt32LE(0, 12);
  const end = prefixBytes + aligned(headerBytes);
  for (let at = prefixBytes + headerBytes; at < end; at += 1) frame[at] = 0;
}

/** @throws TeletrainError `malformed-frame` with what is wrong; never anything else, whatever the bytes. */
export function decodeFrame(message: Uint8Array): Frame {
  const bytes = Buffer.isBuffer(message)
    ? message
    : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length > limits.frameBytes)
    throw malformed(`${bytes.length} bytes are over the limit of ${limits.frameBytes}`);
  if (bytes.length < prefixBytes) throw malformed(`${bytes.length} bytes are too few`);
  if (bytes[0] !== magic || bytes[1] !== frameFormat)
    throw malformed('it does not start as a teletrain frame of format 1');
  const kind = kindNames.get(bytes[2] ?? 0) ?? 'unknown';
  if (bytes[2] === 0) throw malformed('there is no kind 0');
  const headerBytes = bytes.readUInt32LE(4);
  const payloadBytes = bytes.readUInt32LE(8);
  const payloadAt = prefixBytes + aligned(headerBytes);
  if (headerBytes > limits.headerBytes || payloadAt + payloadBytes !== bytes.length) {
    throw malformed(
      `its lengths (${headerBytes} and ${payloadBytes}) do not fit its ${bytes.length} bytes`,
    );
  }
  const payload = payloadBytes === 0 ? noBytes : bytes.subarray(payloadAt);
  // A newer version may have another form of header, too.
  if (kind === 'unknown') return { kind, header: undefined, payload };
  let header: unknown;
  try {
    header = new MsgpackReader(bytes, prefixBytes, prefixBytes + headerBytes).readAll();
  } catch (cause) {
    throw malformed('its header is not msgpack', cause);
  }
  return { kind, header, payload };
}

function malformed(what: string, cause?: unknown): TeletrainError {
  return new TeletrainError('malformed-frame', `A message cannot be read: ${what}.`, {
    hint: 'Both ends must speak the teletrain protocol; see PROTOCOL.md.',
    cause,
  });
}
