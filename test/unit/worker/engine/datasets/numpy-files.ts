import { strToU8, zipSync } from 'fflate';
import { pickledLists } from './pickles.ts';

/** Writes `.npy` and `.npz` files for tests. */

export interface NpyParts {
  readonly type: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
  readonly fortranOrder?: boolean;
  /** Format version, 1 by default. */
  readonly version?: number;
}

export function npyFile({
  type,
  shape,
  data,
  fortranOrder = false,
  version = 1,
}: NpyParts): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '${type}', 'fortran_order': ${fortranOrder ? 'True' : 'False'}, 'shape': (${sizes}), }\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) {
    length.writeUInt16LE(header.length);
  } else {
    length.writeUInt32LE(header.length);
  }
  return Uint8Array.from([
    0x93,
    ...strToU8('NUMPY'),
    version,
    0,
    ...length,
    ...strToU8(header),
    ...data,
  ]);
}

export function int64Bytes(values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values).buffer);
}

export function npyLists(lists: readonly (readonly number[])[]): Uint8Array {
  return npyFile({ type: '|O', shape: [lists.length], data: pickledLists(lists) });
}

export function npzFile(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return zipSync(
    Object.fromEntries(Object.entries(members).map(([name, bytes]) => [`${name}.npy`, bytes])),
  );
}
