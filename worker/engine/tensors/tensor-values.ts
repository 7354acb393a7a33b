import * as tf from '@tensorflow/tfjs-core';
import { limits } from '../../../shared/limits.ts';
import { bytesOf, bytesPerValue, type TensorValues } from '../../../shared/tensors/data.ts';
import { nativeDispatch } from '../ops/native-dispatch.ts';
import type { ByteSource } from './result-writer.ts';
import { bytesIn } from './tensor-bytes.ts';

/** Less is copied out at once. */
const leastBytes = 4 * limits.chunkBytes;

/**
 * The values of a large tensor, copied out of TensorFlow piece by piece as they are now, whatever becomes of
 * the tensor. Undefined where they are better read at once: a small one's, and a GPU's, where each piece
 * would be a transfer of its own.
 */
export function valuesInPieces(tensor: tf.Tensor): ByteSource | undefined {
  const { dtype } = tensor;
  const native = nativeDispatch();
  if (native === undefined || native.usesGpu || bytesIn(tensor) < leastBytes) return undefined;
  if (dtype === 'string' || dtype === 'complex64') return undefined;
  // It shares the tensor's memory, and so does a slice of it where that is aligned.
  const flat = tf.reshape(tensor, [tensor.size]);
  let at = 0;
  return {
    byteLength: bytesIn(tensor),
    next: (most) => {
      const size = Math.min(Math.floor(most / bytesPerValue[dtype]), flat.size - at);
      const part = tf.slice(flat, [at], [size]);
      const values = part.dataSync() as TensorValues;
      part.dispose();
      at += size;
      return bytesOf(values);
    },
    close: () => flat.dispose(),
  };
}
