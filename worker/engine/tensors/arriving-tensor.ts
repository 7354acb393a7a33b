import * as tf from '@tensorflow/tfjs-core';
import { type StoredTypeName, sizeOf, truthOf, valuesOf } from '../../../shared/tensors/data.ts';
import { type NativeDispatch, nativeDispatch } from '../ops/native-dispatch.ts';
import type { Held } from './tensor-store.ts';

/** An upload of which more is to come. */
export interface ArrivingTensor {
  readonly byteLength: number;
  /** Its next bytes, which are copied. */
  add(part: Uint8Array): void;
  /** What it is once its bytes are there; it is not asked for anything after that. */
  whole(): Held;
  /** It is not wanted any more. */
  giveUp(): void;
}

/** Room for so many bytes, which nobody wrote to yet. @throws what the system says where it has none. */
export function arrivingTensor(
  dtype: StoredTypeName,
  shape: readonly number[],
  byteLength: number,
): ArrivingTensor {
  const native = nativeDispatch();
  const isNative = native !== undefined && !native.usesGpu && byteLength > 0;
  return isNative && isNumeric(dtype)
    ? new InTensorFlow(native, dtype, shape, byteLength)
    : new InJavaScript(dtype, shape, byteLength);
}

type NumericName = 'float32' | 'int32' | 'bool';

const isNumeric = (dtype: StoredTypeName): dtype is NumericName =>
  dtype === 'float32' || dtype === 'int32' || dtype === 'bool';

/** Each part is put where it stays: into TensorFlow's own memory. */
class InTensorFlow implements ArrivingTensor {
  readonly byteLength: number;
  readonly #native: NativeDispatch;
  readonly #dtype: NumericName;
  readonly #tensor: tf.Tensor;
  #received = 0;

  constructor(
    native: NativeDispatch,
    dtype: NumericName,
    shape: readonly number[],
    byteLength: number,
  ) {
    this.#native = native;
    this.#dtype = dtype;
    this.byteLength = byteLength;
    const dimensions = native.int32(shape);
    const attributes = [native.typeAttribute('dtype', dtype), native.boolAttribute('init', false)];
    try {
      this.#tensor = native.adopt(native.run('Empty', attributes, [dimensions]));
    } finally {
      native.release(dimensions);
    }
  }

  add(part: Uint8Array): void {
    if (part.byteLength === 0) return;
    const given = this.#native.bytes(this.#dtype === 'bool' ? truthOf(part) : part);
    const offset = this.#native.int32(halvesOf(this.#received));
    try {
      const tensor = this.#native.borrow(this.#tensor);
      this.#native.runMany('TeletrainPutBytes', [], [tensor, given, offset], 0);
    } finally {
      this.#native.release(given);
      this.#native.release(offset);
    }
    this.#received += part.byteLength;
  }

  whole(): Held {
    return { tensor: this.#tensor };
  }

  giveUp(): void {
    this.#tensor.dispose();
  }
}

/** As `TeletrainPutBytes` takes an offset: 30 bits, and those above. */
const halvesOf = (offset: number): [number, number] => [
  offset % 2 ** 30,
  Math.floor(offset / 2 ** 30),
];

class InJavaScript implements ArrivingTensor {
  readonly #dtype: StoredTypeName;
  readonly #shape: readonly number[];
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #received = 0;

  constructor(dtype: StoredTypeName, shape: readonly number[], byteLength: number) {
    this.#dtype = dtype;
    this.#shape = shape;
    this.#bytes = new Uint8Array(byteLength);
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  add(part: Uint8Array): void {
    this.#bytes.set(part, this.#received);
    this.#received += part.byteLength;
  }

  whole(): Held {
    return heldOf(this.#dtype, this.#shape, this.#bytes);
  }

  giveUp(): void {}
}

/** @param bytes which the caller gives up. */
export function heldOf(dtype: StoredTypeName, shape: readonly number[], bytes: Uint8Array): Held {
  if (dtype === 'bytes') return { bytes };
  const values = valuesOf(bytes, dtype, sizeOf(shape));
  // Its type names typed arrays and strings, and it takes strings' bytes as they are, too.
  return { tensor: tf.engine().makeTensor(values as tf.DataValues, [...shape], dtype) };
}
