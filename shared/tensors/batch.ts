import { TeletrainError } from '../errors.ts';
import { pack, unpack } from '../msgpack.ts';

/**
 * The payload of a `commands` or `results` frame (PROTOCOL.md, "Tensors"), little-endian:
 *
 *   0  u32  length of the list in bytes, n
 *   4       zeros up to 16
 *  16       the list: one msgpack array of commands or results; zeros up to a multiple of 16
 *           raw bytes, to which the list's entries refer by their offset from here
 *
 * A tensor's bytes never pass through msgpack. They start at multiples of 16, so that they can be
 * viewed without a copy where the message itself is aligned.
 */

const prefixBytes = 16;

export const alignedLength = (bytes: number): number => (bytes + 15) & ~15;

/** The parts of a payload in their order; nothing of `raw` is copied. */
export function encodeBatch(
  list: readonly unknown[],
  raw: readonly Uint8Array[] = [],
): readonly Uint8Array[] {
  const packed = pack(list);
  const head = Buffer.alloc(prefixBytes);
  head.writeUInt32LE(packed.length, 0);
  return [head, padded(packed), ...raw.map(padded)];
}

export interface Batch {
  readonly list: readonly unknown[];
  /** A view into the payload; copy it to keep it. */
  readonly raw: Uint8Array;
}

/** @throws TeletrainError `malformed-batch`, whatever the bytes. */
export function decodeBatch(payload: Uint8Array): Batch {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (bytes.length < prefixBytes) throw malformed(`${bytes.length} bytes are too few`);
  const listBytes = bytes.readUInt32LE(0);
  const rawAt = prefixBytes + alignedLength(listBytes);
  // Lengths from 2^31 on would be aligned to negative ones.
  if (listBytes > bytes.length || rawAt > bytes.length) {
    throw malformed(`its list of ${listBytes} bytes is cut off`);
  }
  let list: unknown;
  try {
    list = unpack(bytes.subarray(prefixBytes, prefixBytes + listBytes));
  } catch (cause) {
    throw malformed('its list is not msgpack', cause);
  }
  if (!Array.isArray(list)) throw malformed('its list is none');
  return { list, raw: bytes.subarray(rawAt) };
}

/** Bytes that an entry of the list refers to. @throws TeletrainError `malformed-batch`. */
export function rawPart(raw: Uint8Array, at: number, length: number): Uint8Array {
  if (at + length > raw.length) throw malformed(`it has no bytes ${at} to ${at + length}`);
  return raw.subarray(at, at + length);
}

export function malformed(what: string, cause?: unknown): TeletrainError {
  return new TeletrainError('malformed-batch', `A batch of tensors cannot be read: ${what}.`, {
    hint: 'Both ends must speak the teletrain protocol; see PROTOCOL.md.',
    cause,
  });
}

function padded(bytes: Uint8Array): Uint8Array {
  const length = alignedLength(bytes.byteLength);
  if (length === bytes.byteLength) return bytes;
  const whole = Buffer.alloc(length);
  whole.set(bytes);
  return whole;
}
