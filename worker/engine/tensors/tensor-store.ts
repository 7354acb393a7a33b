import type * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../shared/errors.ts';
import type { Failure } from '../../../shared/tensors/commands.ts';
import { unknownHandle } from './failures.ts';
import { bytesIn } from './tensor-bytes.ts';

/** What a handle stands for: a tensor, bytes that are none, or why there is neither. */
export type Held = HeldTensor | HeldBytes | { readonly failure: Failure };
interface HeldTensor {
  readonly tensor: tf.Tensor;
}
interface HeldBytes {
  readonly bytes: Uint8Array;
}

export interface Quota {
  /** Bytes of all tensors together. */
  readonly bytes: number;
  readonly handles: number;
}

/** The tensors of one session by their handles, and what they take together with its models. */
export class TensorStore {
  readonly #quota: Quota;
  readonly #held = new Map<number, Held>();
  #bytes = 0;

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  get(handle: number): Held | undefined {
    return this.#held.get(handle);
  }

  /** @param call that asks for it */
  tensorOf(handle: number, call: number): HeldTensor | { readonly failure: Failure } {
    const held = this.#held.get(handle);
    return held && !('bytes' in held) ? held : { failure: unknownHandle(handle, call) };
  }

  bytesOf(handle: number, call: number): HeldBytes | { readonly failure: Failure } {
    const held = this.#held.get(handle);
    return held && !('tensor' in held) ? held : { failure: unknownHandle(handle, call) };
  }

  /** Counts bytes of a model, or fewer of them. */
  charge(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Why so much more cannot be held; undefined where it can. */
  refusal(handles: number, bytes: number): Omit<Failure, 'call'> | undefined {
    if (this.#held.size + handles > this.#quota.handles) {
      return {
        code: 'too-many-tensors',
        message: `the session would hold more than ${this.#quota.handles} tensors`,
        hint: 'Dispose of tensors that are no longer needed; tf.tidy does so by itself.',
      };
    }
    if (this.#bytes + bytes <= this.#quota.bytes) return undefined;
    return {
      code: 'tensor-memory',
      message: `the session would hold ${this.#bytes + bytes} bytes, and may hold ${this.#quota.bytes}`,
      hint: 'Dispose of tensors that are no longer needed, or work on smaller ones.',
    };
  }

  /** @throws TeletrainError `too-many-tensors` when failures alone are as many as there may be tensors. */
  hold(handle: number, held: Held): void {
    if (this.#held.size >= 2 * this.#quota.handles) {
      throw new TeletrainError(
        'too-many-tensors',
        `The session went on until ${this.#held.size} of its handles were in use.`,
        { hint: 'Dispose of tensors that are no longer needed; tf.tidy does so by itself.' },
      );
    }
    this.#held.set(handle, held);
    this.#bytes += bytesHeld(held);
  }

  /** Frees the tensor; a handle that is not held is left so. */
  release(handle: number): void {
    const held = this.#held.get(handle);
    if (held === undefined) return;
    this.#held.delete(handle);
    this.#bytes -= bytesHeld(held);
    if ('tensor' in held) held.tensor.dispose();
  }
}

function bytesHeld(held: Held): number {
  if ('tensor' in held) return bytesIn(held.tensor);
  return 'bytes' in held ? held.bytes.byteLength : 0;
}
