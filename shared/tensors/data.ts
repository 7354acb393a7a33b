import { malformed } from './batch.ts';

/** tfjs' data types, and how many bytes one value takes; a string takes what it has. */
export const bytesPerValue = {
  float32: 4,
  int32: 4,
  bool: 1,
  complex64: 8,
  string: 0,
} as const;

export type DataTypeName = keyof typeof bytesPerValue;

export const isDataType = (value: unknown): value is DataTypeName =>
  typeof value === 'string' && Object.hasOwn(bytesPerValue, value);

/** What an upload holds: a tensor, or bytes that are none (a file), which only a model's commands take. */
export type StoredTypeName = DataTypeName | 'bytes';

export const isStoredType = (value: unknown): value is StoredTypeName =>
  value === 'bytes' || isDataType(value);

/** What tfjs' backends write and read: complex numbers as pairs, strings as their bytes. */
export type TensorValues = Float32Array | Int32Array | Uint8Array | Uint8Array[];

/** TensorFlow itself stops at 8 for most kernels. */
const largestRank = 16;
const longestAxis = 2 ** 31 - 1;

/** Whether it is a tensor's shape, whose values can be counted, and were it none of them for a zero. */
export const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.length <= largestRank &&
  value.every((length) => Number.isInteger(length) && length >= 0 && length <= longestAxis) &&
  Number.isSafeInteger(sizeOf(value.map((length: number) => Math.max(1, length))));

export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((size, length) => size * length, 1);

/**
 * The raw bytes of values; a view where they are numbers. Strings: each one's length as u32, then its
 * bytes; one that was never set (a buffer's) is empty.
 */
export function bytesOf(values: TensorValues): Uint8Array {
  if (!Array.isArray(values)) {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const texts = Array.from(values, (text: Uint8Array | undefined) => text ?? new Uint8Array(0));
  const bytes = Buffer.alloc(texts.reduce((sum, text) => sum + 4 + text.length, 0));
  let at = 0;
  for (const text of texts) {
    at = bytes.writeUInt32LE(text.length, at);
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}

/**
 * Values from their raw bytes, which the caller gives up: they are viewed, not copied, where they
 * are aligned. @throws TeletrainError `malformed-batch` where the bytes are not `size` values.
 */
export function valuesOf(bytes: Uint8Array, dtype: DataTypeName, size: number): TensorValues {
  if (dtype === 'string') return stringsOf(bytes, size);
  if (bytes.byteLength !== size * bytesPerValue[dtype]) {
    throw malformed(`${bytes.byteLength} bytes are not ${size} values of ${dtype}`);
  }
  const { buffer, byteOffset, byteLength }: Uint8Array =
    bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  if (dtype === 'bool') return truthOf(new Uint8Array(buffer, byteOffset, byteLength));
  return dtype === 'int32'
    ? new Int32Array(buffer, byteOffset, byteLength / 4)
    : new Float32Array(buffer, byteOffset, byteLength / 4);
}

/** Each byte as 0 or 1: C++ does as it likes with a bool that is neither. */
export function truthOf(bytes: Uint8Array): Uint8Array {
  return bytes.every((byte) => byte <= 1) ? bytes : bytes.map((byte) => (byte === 0 ? 0 : 1));
}

function stringsOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= view.length) {
    const length = view.readUInt32LE(at);
    at += 4;
    if (at + length > view.length) break;
    texts.push(new Uint8Array(view.subarray(at, at + length)));
    at += length;
  }
  if (at !== view.length || texts.length !== size) {
    throw malformed(`${bytes.byteLength} bytes are not ${size} strings`);
  }
  return texts;
}
