import { gunzipSync } from 'node:zlib';
import { corruptFile } from './corrupt-file.ts';

/** An array of unsigned bytes in LeCun's IDX format, row-major. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array;
}

const largestContent = 256 * 1024 * 1024;
const unsignedByte = 0x08;

/**
 * Reads an IDX file of unsigned bytes: two zero bytes, the element type, the number of dimensions,
 * each dimension as a big-endian 32-bit integer, then the values.
 * @param bytes The file, gzip or not.
 * @param file Its name, for errors.
 * @param dimensions How many it must have: 3 for pictures, 1 for labels.
 * @throws TeletrainError `dataset-corrupt`.
 */
export function readIdx(bytes: Uint8Array, file: string, dimensions: number): IdxArray {
  const content = isGzip(bytes) ? gunzip(bytes, file) : bytes;
  const headerSize = 4 + 4 * dimensions;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (content.length < headerSize) {
    throw corruptFile(file, 'ends within its header');
  }
  const magic = view.getUint32(0);
  if (magic !== ((unsignedByte << 8) | dimensions)) {
    throw corruptFile(
      file,
      `begins with 0x${magic.toString(16).padStart(8, '0')}, not as an IDX file of ${dimensions} dimensions`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, index) => view.getUint32(4 + 4 * index));
  const count = shape.reduce((product, size) => product * size, 1);
  if (content.length !== headerSize + count) {
    throw corruptFile(
      file,
      `holds ${content.length - headerSize} values, not ${shape.join(' x ')}`,
    );
  }
  return { shape, values: content.subarray(headerSize) };
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function gunzip(bytes: Uint8Array, file: string): Uint8Array {
  try {
    const { buffer, byteOffset, byteLength } = gunzipSync(bytes, {
      maxOutputLength: largestContent,
    });
    // A plain array: Buffer's slice() would give a view where callers expect a copy.
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    throw corruptFile(file, 'is no whole gzip file', cause);
  }
}
