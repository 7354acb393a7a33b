import { TeletrainError } from '../../../shared/errors.ts';

/**
 * The safetensors format (huggingface/safetensors, "Format"): u64 length of the header, the header
 * as JSON padded with spaces so that the data starts at a multiple of 8, then the tensors' bytes,
 * row-major, little-endian, one after the other without a gap. Written for little-endian machines,
 * as all that run TensorFlow are.
 */

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** Longer headers are refused, as the reference implementation does. */
const largestHeader = 100_000_000;

/**
 * @param tensors By name, in file order.
 * @param metadata Free text by name, kept in the header.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, values }] of tensors) {
    if (values.length !== elements(shape)) {
      throw new RangeError(`${name} has ${values.length} values, but its shape is [${shape}].`);
    }
    const start = end;
    end += values.byteLength;
    header[name] = { dtype: dtypeOf(values), shape, data_offsets: [start, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = Buffer.alloc(8 + headerBytes + end, ' ');
  file.writeBigUInt64LE(BigInt(headerBytes), 0);
  json.copy(file, 8);
  let at = 8 + headerBytes;
  for (const { values } of tensors.values()) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

/**
 * Reads what `encodeSafetensors` writes, float32 and int32 only. Every byte must be accounted for.
 * @returns Copies: the file's bytes may be let go.
 * @throws TeletrainError `corrupt-safetensors`.
 */
export function decodeSafetensors(file: Uint8Array): Map<string, StoredTensor> {
  const { header, data } = readHeader(file);
  const tensors = new Map<string, StoredTensor>();
  let covered = 0;
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  const described = entries.map(([name, entry]) => ({ name, ...parseEntry(name, entry) }));
  described.sort((a, b) => a.start - b.start || a.end - b.end);
  for (const { name, dtype, shape, start, end } of described) {
    if (start !== covered || end > data.length || end - start !== 4 * elements(shape)) {
      throw corrupt(`the bytes of ${name} do not lie where its shape wants them`);
    }
    covered = end;
    const copy = new Uint8Array(data.subarray(start, end)).buffer;
    tensors.set(name, {
      shape,
      values: dtype === 'F32' ? new Float32Array(copy) : new Int32Array(copy),
    });
  }
  if (covered !== data.length) throw corrupt(`${data.length - covered} bytes belong to no tensor`);
  return new Map(entries.flatMap(([name]) => pairOf(tensors, name)));
}

/**
 * The free text that a file was written with, by name.
 * @throws TeletrainError `corrupt-safetensors`.
 */
export function safetensorsMetadata(file: Uint8Array): Readonly<Record<string, string>> {
  const { __metadata__: metadata = {} } = readHeader(file).header as { __metadata__?: unknown };
  const isText = (value: unknown) => typeof value === 'string';
  if (typeof metadata !== 'object' || !Object.values(metadata ?? {}).every(isText)) {
    throw corrupt('its metadata is not text');
  }
  // Each value was looked at.
  return { ...(metadata as Record<string, string>) };
}

function readHeader(file: Uint8Array): { readonly header: object; readonly data: Buffer } {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = bytes.length < 8 ? Number.NaN : Number(bytes.readBigUInt64LE(0));
  if (!(headerBytes <= Math.min(bytes.length - 8, largestHeader))) {
    throw corrupt('its header is longer than the file');
  }
  return {
    header: parseHeader(bytes.toString('utf8', 8, 8 + headerBytes)),
    data: bytes.subarray(8 + headerBytes),
  };
}

function parseHeader(text: string): object {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw corrupt('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw corrupt('its header is not an object');
  }
  return header;
}

function parseEntry(name: string, entry: unknown) {
  const { dtype, shape, data_offsets } = Object(entry);
  const isIndex = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
  if (dtype !== 'F32' && dtype !== 'I32') throw corrupt(`${name} is of type ${dtype}`);
  if (!Array.isArray(shape) || !shape.every(isIndex)) throw corrupt(`${name} has no shape`);
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isIndex)) {
    throw corrupt(`${name} has no place`);
  }
  const [start, end] = data_offsets.map(Number);
  return { dtype, shape: shape.map(Number), start: start ?? 0, end: end ?? 0 } as const;
}

/** The header's order is the writer's; tensors were checked in the order of their bytes. */
function pairOf(
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
): [string, StoredTensor][] {
  const tensor = tensors.get(name);
  return tensor ? [[name, tensor]] : [];
}

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

const dtypeOf = (values: StoredTensor['values']) =>
  values instanceof Float32Array ? 'F32' : 'I32';

function corrupt(what: string): TeletrainError {
  return new TeletrainError('corrupt-safetensors', `The tensor file is damaged: ${what}.`, {
    hint: 'Use another checkpoint.',
  });
}
