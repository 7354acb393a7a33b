import { limits } from '../../../shared/limits.ts';
import { encodeBatch } from '../../../shared/tensors/batch.ts';
import type { Result } from '../../../shared/tensors/commands.ts';
import { bytesOf, type StoredTypeName, type TensorValues } from '../../../shared/tensors/data.ts';

/** Results on their way out: small ones together, large ones in chunks that let a ping pass between. */
export class ResultWriter {
  readonly #send: (payload: readonly Uint8Array[]) => void;
  readonly #unsentBytes: () => number;
  #list: Result[] = [];
  #listBytes = 0;
  #raw: Uint8Array[] = [];
  #rawBytes = 0;

  /**
   * @param send takes the parts of one payload; what they view is not changed afterwards.
   * @param unsentBytes of what was given to `send` and has not left. Default: all has.
   */
  constructor(send: (payload: readonly Uint8Array[]) => void, unsentBytes: () => number = () => 0) {
    this.#send = send;
    this.#unsentBytes = unsentBytes;
  }

  /** Bytes of tensors that wait to be taken. */
  get waitingBytes(): number {
    return this.#rawBytes + this.#unsentBytes();
  }

  add(result: Result): void {
    this.#list.push(result);
    this.#listBytes += bytesAbout(result);
    if (this.#listBytes >= limits.chunkBytes) this.flush();
  }

  addData(id: number, dtype: StoredTypeName, shape: number[], values: TensorValues): void {
    const bytes = bytesOf(values);
    let offset = 0;
    do {
      if (this.#rawBytes >= limits.chunkBytes || this.#listBytes >= limits.chunkBytes) this.flush();
      const length = Math.min(bytes.length - offset, limits.chunkBytes - this.#rawBytes);
      this.#list.push(['data', id, dtype, shape, bytes.length, offset, this.#rawBytes, length]);
      this.#listBytes += 64 + 5 * shape.length;
      this.#raw.push(bytes.subarray(offset, offset + length));
      this.#rawBytes += Math.ceil(length / 16) * 16;
      offset += length;
    } while (offset < bytes.length);
  }

  /** Sends what there is; nothing where there is nothing. @returns whether there was. */
  flush(): boolean {
    if (this.#list.length === 0) return false;
    this.#send(encodeBatch(this.#list, this.#raw));
    this.#list = [];
    this.#raw = [];
    this.#rawBytes = 0;
    this.#listBytes = 0;
    return true;
  }
}

/** How long an answer is in a list, about: enough to keep a list within a message. */
function bytesAbout(result: Result): number {
  if (result[0] === 'failed') return 64 + 3 * (result[2].message.length + result[2].hint.length);
  if (result[0] === 'described') {
    return result[2].reduce((sum, [, shape]) => sum + 16 + 5 * shape.length, 16);
  }
  return 64;
}
