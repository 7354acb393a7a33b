import { limits } from '../../../shared/limits.ts';
import { releaseBytes } from '../../../shared/release-bytes.ts';
import { encodeBatch } from '../../../shared/tensors/batch.ts';
import type { Result } from '../../../shared/tensors/commands.ts';
import { bytesOf, type StoredTypeName, type TensorValues } from '../../../shared/tensors/data.ts';

/** Bytes that are read when they can be sent, piece after piece. */
export interface ByteSource {
  readonly byteLength: number;
  /** The next ones, at least one and at most `most`, in memory that is the taker's. */
  next(most: number): Uint8Array;
  /** Nothing more is read. */
  close(): void;
}

export interface ResultOutlet {
  /**
   * Takes the parts of one payload; what they view is not changed afterwards.
   * @param written called when the payload has left.
   */
  send(payload: readonly Uint8Array[], written: () => void): void;
  /** Of what was given to `send` and has not left. */
  readonly unsentBytes: number;
}

/** Read from a source while so much has not left: the next bytes are there when the pipe takes them. */
const mostUnsent = 1024 * 1024;
/** Read from a source at a time: what it costs to ask is then little beside the bytes. */
const pieceBytes = 2 * limits.chunkBytes;

interface Data {
  readonly id: number;
  readonly dtype: StoredTypeName;
  readonly shape: readonly number[];
}

interface Sending extends Data {
  readonly source: ByteSource;
  offset: number;
}

/** Results on their way out: small ones together, large ones in chunks that let a ping pass between. */
export class ResultWriter {
  readonly #outlet: ResultOutlet;
  #list: Result[] = [];
  #listBytes = 0;
  #raw: Uint8Array[] = [];
  #rawBytes = 0;
  /** Memory to be freed when what is in `#raw` has left. */
  #spent: Uint8Array[] = [];
  #sending: Sending | undefined;
  #isReading = false;
  /** What comes after the source that is being sent: results keep their order. */
  #behind: (() => void)[] = [];
  #sourceBytes = 0;

  constructor(outlet: ResultOutlet) {
    this.#outlet = outlet;
  }

  /** Bytes of tensors that wait to be taken. */
  get waitingBytes(): number {
    return this.#rawBytes + this.#sourceBytes + this.#outlet.unsentBytes;
  }

  add(result: Result): void {
    this.inOrder(() => {
      this.#list.push(result);
      this.#listBytes += bytesAbout(result);
      if (this.#listBytes >= limits.chunkBytes) this.#send();
    });
  }

  addData(id: number, dtype: StoredTypeName, shape: number[], values: TensorValues): void {
    const bytes = bytesOf(values);
    this.#sourceBytes += bytes.length;
    this.inOrder(() => {
      this.#sourceBytes -= bytes.length;
      this.#addBytes({ id, dtype, shape, byteLength: bytes.length, offset: 0 }, bytes);
    });
  }

  /** Data that is read while it is sent. The source is closed by this writer. */
  addSource(id: number, dtype: StoredTypeName, shape: number[], source: ByteSource): void {
    this.#sourceBytes += source.byteLength;
    this.inOrder(() => {
      this.#sending = { id, dtype, shape, source, offset: 0 };
      this.#readOn();
    });
  }

  /** Sends what there is; nothing where there is nothing. @returns whether there was. */
  flush(): boolean {
    if (this.#list.length === 0) return false;
    this.#send();
    return true;
  }

  /** Does this at once, or when what was added before it was given to `send`. */
  inOrder(work: () => void): void {
    if (this.#sending === undefined) work();
    else this.#behind.push(work);
  }

  #readOn(): void {
    // What is sent may have left at once.
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#sending !== undefined && this.#outlet.unsentBytes < mostUnsent) {
      this.#sendPiece(this.#sending);
      if (this.#sending.offset < this.#sending.source.byteLength) continue;
      this.#sending.source.close();
      this.#sending = undefined;
      for (const work of this.#behind.splice(0)) this.inOrder(work);
    }
    this.#isReading = false;
  }

  #sendPiece(sending: Sending): void {
    const { id, dtype, shape, source, offset } = sending;
    const piece = source.next(pieceBytes);
    sending.offset += piece.length;
    this.#sourceBytes -= piece.length;
    this.#addBytes({ id, dtype, shape, byteLength: source.byteLength, offset }, piece);
    this.#spent.push(piece);
    this.#send();
  }

  #addBytes(
    { id, dtype, shape, byteLength, offset }: Data & { byteLength: number; offset: number },
    bytes: Uint8Array,
  ): void {
    let at = 0;
    do {
      if (this.#rawBytes >= limits.chunkBytes || this.#listBytes >= limits.chunkBytes) this.#send();
      const length = Math.min(bytes.length - at, limits.chunkBytes - this.#rawBytes);
      const place = this.#rawBytes;
      this.#list.push(['data', id, dtype, [...shape], byteLength, offset + at, place, length]);
      this.#listBytes += 64 + 5 * shape.length;
      this.#raw.push(bytes.subarray(at, at + length));
      this.#rawBytes += Math.ceil(length / 16) * 16;
      at += length;
    } while (at < bytes.length);
  }

  #send(): void {
    const payload = encodeBatch(this.#list, this.#raw);
    const spent = this.#spent;
    this.#list = [];
    this.#raw = [];
    this.#rawBytes = 0;
    this.#listBytes = 0;
    this.#spent = [];
    this.#outlet.send(payload, () => {
      for (const bytes of spent) releaseBytes(bytes);
      this.#readOn();
    });
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
