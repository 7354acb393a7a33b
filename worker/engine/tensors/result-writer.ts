import { limits } from '../../../shared/limits.ts';
import { encodeBatch } from '../../../shared/tensors/batch.ts';
import type { Result } from '../../../shared/tensors/commands.ts';
import { bytesOf, type DataTypeName, type TensorValues } from '../../../shared/tensors/data.ts';

/** Results on their way out: small ones together, large ones in chunks that let a ping pass between. */
export class ResultWriter {
  readonly #send: (payload: readonly Uint8Array[]) => void;
  #list: Result[] = [];
  #raw: Uint8Array[] = [];
  #rawBytes = 0;

  /** @param send takes the parts of one payload; what they view is not changed afterwards. */
  constructor(send: (payload: readonly Uint8Array[]) => void) {
    this.#send = send;
  }

  add(result: Result): void {
    this.#list.push(result);
  }

  addData(id: number, dtype: DataTypeName, shape: number[], values: TensorValues): void {
    const bytes = bytesOf(values);
    let offset = 0;
    do {
      if (this.#rawBytes >= limits.chunkBytes) this.flush();
      const length = Math.min(bytes.length - offset, limits.chunkBytes - this.#rawBytes);
      this.#list.push(['data', id, dtype, shape, bytes.length, offset, this.#rawBytes, length]);
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
    return true;
  }
}
