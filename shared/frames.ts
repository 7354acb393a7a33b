import { TeletrainError } from './errors.ts';
import { limits } from './limits.ts';
import { type FrameKind, frameKinds } from './messages.ts';
import { pack, unpack } from './msgpack.ts';

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
 * the message itself is aligned. Raw bytes never pass through msgpack as typed arrays: msgpackr
 * would truncate a Float32Array's values.
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
const noBytes = new Uint8Array(0);

const aligned = (bytes: number): number => (bytes + 15) & ~15;

/** @throws TeletrainError `frame-too-large`; a programming error (TypeError) for a typed array that is not bytes. */
export function encodeFrame(
  kind: FrameKind,
  header: unknown,
  payload: Uint8Array = noBytes,
): Buffer {
  return assemble(kind, [pack(header)], [payload]);
}

/**
 * A frame whose payload is put together from parts: each is copied once, into the frame.
 * @throws TeletrainError `frame-too-large`.
 */
export function encodeFrameOfParts(
  kind: FrameKind,
  header: unknown,
  payload: readonly Uint8Array[],
): Buffer {
  return assemble(kind, [pack(header)], payload);
}

/** One field, the fixed string of five letters `event`; its value follows. */
const eventField = Buffer.from([0x81, 0xa5, ...Buffer.from('event')]);

/**
 * An event frame around an event that is msgpack already, as a journal holds it.
 * @throws TeletrainError `frame-too-large`.
 */
export function encodeEventFrame(packedEvent: Uint8Array): Buffer {
  return assemble('event', [eventField, packedEvent], []);
}

function assemble(
  kind: FrameKind,
  header: readonly Uint8Array[],
  payload: readonly Uint8Array[],
): Buffer {
  const headerBytes = header.reduce((sum, part) => sum + part.length, 0);
  const payloadAt = prefixBytes + aligned(headerBytes);
  const payloadBytes = payload.reduce((sum, part) => sum + part.byteLength, 0);
  const total = payloadAt + payloadBytes;
  if (headerBytes > limits.headerBytes || total > limits.frameBytes) {
    throw new TeletrainError(
      'frame-too-large',
      `A ${kind} message of ${total} bytes is over the limit of ${limits.frameBytes}.`,
      { hint: 'Send the data in chunks.' },
    );
  }
  // A tensor's part need not be filled with zeros first; a frame's buffer is its own.
  const frame = Buffer.allocUnsafeSlow(total).fill(0, 0, payloadAt);
  frame[0] = magic;
  frame[1] = frameFormat;
  frame[2] = frameKinds[kind];
  frame.writeUInt32LE(headerBytes, 4);
  frame.writeUInt32LE(payloadBytes, 8);
  let at = prefixBytes;
  for (const part of header) {
    frame.set(part, at);
    at += part.length;
  }
  at = payloadAt;
  for (const part of payload) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}

/** @throws TeletrainError `malformed-frame` with what is wrong; never anything else, whatever the bytes. */
export function decodeFrame(message: Uint8Array): Frame {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
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
  const payload = bytes.subarray(payloadAt);
  // A newer version may have another form of header, too.
  if (kind === 'unknown') return { kind, header: undefined, payload };
  let header: unknown;
  try {
    header = unpack(bytes.subarray(prefixBytes, prefixBytes + headerBytes));
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
