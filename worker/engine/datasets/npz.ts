import { unzipSync } from 'fflate';
import { corruptFile } from './corrupt-file.ts';
import { unpickleIntegerLists } from './unpickle.ts';

/** Element types of the arrays read here, by their `descr`. int64 is narrowed: see `NpyArray.values`. */
type NumericValues = Uint8Array | Int32Array;

/** One array of an `.npz`, row-major. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** uint8 and bool as they are; int32 and int64 as Int32Array (a value beyond 32 bits is refused). */
  readonly values: NumericValues;
}

/** The array for an object dtype: one list of integers an element. */
export interface NpyLists {
  readonly shape: readonly [number];
  readonly lists: readonly Int32Array[];
}

/** Members of an archive unpacked together may be this large, so that a forged one cannot fill memory. */
const largestMember = 256 * 1024 * 1024;

/**
 * Unpacks members of a numpy archive (`np.savez`, `np.savez_compressed`).
 * @param archive The whole `.npz` file.
 * @param file Its name, for errors.
 * @param members Array names without `.npy`; only these are unpacked.
 * @returns The members' `.npy` bytes by array name.
 * @throws TeletrainError `dataset-corrupt` when the archive or a member is broken or missing.
 */
export function unpackNpz<Name extends string>(
  archive: Uint8Array,
  file: string,
  members: readonly Name[],
): Record<Name, Uint8Array> {
  const wanted = new Set(members.map((member) => `${member}.npy`));
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(archive, {
      filter: ({ name, originalSize }) => wanted.has(name) && originalSize <= largestMember,
    });
  } catch (cause) {
    throw corruptFile(file, 'is no whole zip archive', cause);
  }
  const unpacked: Partial<Record<Name, Uint8Array>> = {};
  for (const member of members) {
    const entry = entries[`${member}.npy`];
    if (entry === undefined) {
      throw corruptFile(file, `has no member ${member}.npy of a usable size`);
    }
    unpacked[member] = entry;
  }
  // Every name of `members` was just set.
  return unpacked as Record<Name, Uint8Array>;
}

/**
 * Reads a numeric `.npy` file (format 1.0 to 3.0, C order, little-endian).
 * Values of one byte are a view of `bytes`; wider ones are copied.
 * @throws TeletrainError `dataset-corrupt` for another type, Fortran order, or a length that does not fit.
 */
export function readNpy(bytes: Uint8Array, file: string): NpyArray {
  const { type, shape, dataAt } = readNpyHeader(bytes, file);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(dataAt);
  const width = { '|u1': 1, '|b1': 1, '<i4': 4, '<i8': 8 }[type];
  if (width === undefined) {
    throw corruptFile(
      file,
      type.includes('O')
        ? 'holds Python objects where numbers belong'
        : `has element type "${type}", not uint8, bool, int32 or int64`,
    );
  }
  if (data.length !== count * width) {
    throw corruptFile(file, `holds ${data.length} bytes of data, not ${count * width}`);
  }
  if (width === 1) {
    return { shape, values: data };
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const values = new Int32Array(count);
  for (let index = 0; index < count; index += 1) {
    const low = view.getInt32(index * width, true);
    if (width === 8 && view.getInt32(index * width + 4, true) !== low >> 31) {
      throw corruptFile(file, `has a value beyond 32 bits at element ${index}`);
    }
    values[index] = low;
  }
  return { shape, values };
}

/**
 * Reads an `.npy` file of dtype object whose elements are lists of integers.
 * @throws TeletrainError `dataset-corrupt` for any other content.
 */
export function readNpyLists(bytes: Uint8Array, file: string): NpyLists {
  const { type, shape, dataAt } = readNpyHeader(bytes, file);
  const count = shape[0];
  if (type !== '|O' || shape.length !== 1 || count === undefined) {
    throw corruptFile(file, `has element type "${type}" where lists belong`);
  }
  const lists = unpickleIntegerLists(bytes.subarray(dataAt), file);
  if (lists.length !== count) {
    throw corruptFile(file, `holds ${lists.length} lists, not ${count}`);
  }
  return { shape: [count], lists };
}

interface NpyHeader {
  readonly type: string;
  readonly shape: readonly number[];
  readonly dataAt: number;
}

const npyMagic = '\x93NUMPY';

/** Reads the header, a Python dictionary of fixed keys, by the `.npy` format (numpy.lib.format). */
function readNpyHeader(bytes: Uint8Array, file: string): NpyHeader {
  const latin1 = (from: number, to: number) =>
    Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
  const version = bytes[6];
  const headerAt = version === 1 ? 10 : 12;
  if (bytes.length < headerAt || latin1(0, 6) !== npyMagic) {
    throw corruptFile(file, 'is no .npy file');
  }
  if (version !== 1 && version !== 2 && version !== 3) {
    throw corruptFile(file, `has .npy format version ${version}, which is unknown`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dataAt = headerAt + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataAt > bytes.length) {
    throw corruptFile(file, 'ends within its header');
  }
  const header = latin1(headerAt, dataAt);
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (type === undefined || order === undefined || sizes === undefined) {
    throw corruptFile(file, 'has a header that describes no plain array');
  }
  if (order === 'True') {
    throw corruptFile(file, 'is in Fortran order');
  }
  const shape = sizes
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number);
  return { type, shape, dataAt };
}
