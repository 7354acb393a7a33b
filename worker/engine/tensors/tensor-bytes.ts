import * as tf from '@tensorflow/tfjs-core';
import { bytesPerValue } from '../../../shared/tensors/data.ts';

/** What a string takes beside its bytes: an object of JavaScript's, and TensorFlow's own copy. */
export const bytesPerString = 192;

interface Strings {
  readonly bytes: number;
  /** Bytes of the longest one. */
  readonly longest: number;
}

/** Strings never change, so they are counted once. */
const counted = new WeakMap<object, Strings>();

/** Memory that a tensor takes. */
export function bytesIn(tensor: tf.Tensor): number {
  const { size, dtype } = tensor;
  if (dtype !== 'string') return size * bytesPerValue[dtype];
  return size * bytesPerString + stringsIn(tensor).bytes;
}

export function stringsIn(tensor: tf.Tensor): Strings {
  const known = counted.get(tensor.dataId);
  if (known) return known;
  // Backends give strings as the bytes that they are; a kernel that was made for numbers may leave
  // anything, and nothing.
  const texts = tf.engine().readSync(tensor.dataId) as unknown as ArrayLike<unknown>;
  let bytes = 0;
  let longest = 0;
  for (const text of Array.from(texts)) {
    const length = text instanceof Uint8Array ? text.length : 0;
    bytes += length;
    if (length > longest) longest = length;
  }
  const strings = { bytes, longest };
  counted.set(tensor.dataId, strings);
  return strings;
}

export const describeTensor = ({ dtype, shape }: tf.TensorInfo): string =>
  dtype === 'float32' ? `[${shape}]` : `${dtype} [${shape}]`;
