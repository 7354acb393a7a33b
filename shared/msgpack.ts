import { Packr } from 'msgpackr/pack';
import { limits } from './limits.ts';
import { MsgpackReader } from './msgpack-reader.ts';

/**
 * The one msgpack setting of the wire and the journal: plain maps, no records, no extension types
 * for typed arrays, absent fields left out, so that a reader in another language needs nothing but
 * a msgpack library.
 */
const options = {
  useRecords: false,
  mapsAsObjects: true,
  moreTypes: false,
  structuredClone: false,
  // msgpackr knows this option; its type declaration does not.
  skipValues: [undefined],
};
const packr = new Packr(options);

/** @throws TypeError for a typed array other than bytes, whose values msgpackr would truncate, and for a value nested deeper than `valueDepth`. */
export function pack(value: unknown): Buffer {
  refuseTypedArrays(value, 0);
  return packr.pack(value);
}

/** @throws Error the bytes are not one msgpack value of the types that occur here (msgpack-reader.ts). */
export function unpack(bytes: Uint8Array): unknown {
  return new MsgpackReader(bytes).readAll();
}

function refuseTypedArrays(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  // Nothing of ours is so deep, and a reader must not run out of stack.
  if (depth >= limits.valueDepth) {
    throw new TypeError(`a value is nested deeper than ${limits.valueDepth}`);
  }
  if (value instanceof Uint8Array) return;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new TypeError(`a ${value.constructor.name} cannot be packed: send it as raw bytes`);
  }
  for (const part of Object.values(value)) refuseTypedArrays(part, depth + 1);
}
