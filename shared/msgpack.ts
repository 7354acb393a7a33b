import { MsgpackReader } from './msgpack-reader.ts';
import { MsgpackWriter } from './msgpack-writer.ts';

/**
 * The msgpack of the wire and the journal: nil, booleans, numbers, text, bytes, arrays and maps with
 * text for keys, so that a reader in another language needs nothing but a msgpack library.
 */

/** Writing is done before anybody else writes: one is enough. */
const writer = new MsgpackWriter();

/** @throws TypeError for what MsgpackWriter does not write. */
export function pack(value: unknown): Buffer {
  const bytes = Buffer.allocUnsafe(writer.write(value));
  writer.copyTo(bytes, 0);
  return bytes;
}

/** @throws Error the bytes are not one msgpack value of the types that occur here (msgpack-reader.ts). */
export function unpack(bytes: Uint8Array): unknown {
  return new MsgpackReader(bytes).readAll();
}
