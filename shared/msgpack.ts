import { Packr } from 'msgpackr';

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
  int64AsType: 'number' as const,
  // A view would keep the whole message alive for as long as one small value of it is kept.
  copyBuffers: true,
  // msgpackr knows this option; its type declaration does not.
  skipValues: [undefined],
};
const packr = new Packr(options);

/** Deeper values are refused: nothing of ours is, and a reader must not run out of stack. */
const deepest = 64;

/** @throws TypeError for a typed array other than bytes, whose values msgpackr would truncate, and for a value nested deeper than 64. */
export function pack(value: unknown): Buffer {
  refuseTypedArrays(value, 0);
  return packr.pack(value);
}

/** @throws whatever msgpackr throws: the bytes are not one msgpack value. */
export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

function refuseTypedArrays(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > deepest) throw new TypeError(`a value is nested deeper than ${deepest}`);
  if (value instanceof Uint8Array) return;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new TypeError(`a ${value.constructor.name} cannot be packed: send it as raw bytes`);
  }
  for (const part of Object.values(value)) refuseTypedArrays(part, depth + 1);
}
