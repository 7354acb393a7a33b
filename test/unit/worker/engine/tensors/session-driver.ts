import { decodeBatch, encodeBatch, rawPart } from '../../../../../shared/tensors/batch.ts';
import {
  type Command,
  type Failure,
  parseResult,
  type Result,
} from '../../../../../shared/tensors/commands.ts';
import { bytesOf } from '../../../../../shared/tensors/data.ts';
import { ResultWriter } from '../../../../../worker/engine/tensors/result-writer.ts';
import { TensorSession } from '../../../../../worker/engine/tensors/tensor-session.ts';

/** A session that is given commands as a client gives them, without a wire. */
export class SessionDriver {
  readonly #session: TensorSession;
  readonly #results: ResultWriter;
  #answers: { readonly result: Result; readonly raw: Uint8Array }[] = [];
  #handles = 0;
  #ids = 0;

  constructor(bytes = 1e8) {
    this.#results = new ResultWriter({
      send: (payload, written) => {
        const { list, raw } = decodeBatch(Buffer.concat(payload));
        for (const entry of list) this.#answers.push({ result: parseResult(entry), raw });
        written();
      },
      unsentBytes: 0,
    });
    this.#session = new TensorSession({ bytes, handles: 100 }, this.#results);
  }

  async upload(values: Float32Array | Int32Array | Uint8Array, shape: number[]): Promise<number> {
    const dtype =
      values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'bool';
    return await this.#upload(bytesOf(values), dtype, shape);
  }

  async uploadFile(bytes: Uint8Array): Promise<number> {
    return await this.#upload(bytes, 'bytes', [bytes.byteLength]);
  }

  /** One that was never used. */
  newHandle(): number {
    this.#handles += 1;
    return this.#handles;
  }

  async dispose(handles: number[]): Promise<void> {
    await this.#take([['dispose', handles]]);
  }

  async disposeModel(model: number): Promise<void> {
    await this.#take([['disposeModel', model]]);
  }

  /** What a command gives; throws its failure. */
  async values(command: (id: number) => Command): Promise<Readonly<Record<string, number>>> {
    const [answer] = await this.#ask(command);
    if (answer?.result[0] !== 'values') throw new Error(JSON.stringify(answer?.result));
    return answer.result[2];
  }

  async bytes(command: (id: number) => Command): Promise<Buffer> {
    const parts = (await this.#ask(command)).map(({ result, raw }) => {
      if (result[0] !== 'data') throw new Error(JSON.stringify(result));
      const [, , , , , , at, length] = result;
      return rawPart(raw, at, length);
    });
    return Buffer.concat(parts);
  }

  /** Types and shapes of what a command made; throws its failure. */
  async described(command: (id: number) => Command) {
    const [answer] = await this.#ask(command);
    if (answer?.result[0] !== 'described') throw new Error(JSON.stringify(answer?.result));
    return answer.result[2];
  }

  async failure(command: (id: number) => Command): Promise<Failure> {
    const [answer] = await this.#ask(command);
    if (answer?.result[0] !== 'failed') throw new Error(`no failure: ${JSON.stringify(answer)}`);
    return answer.result[2];
  }

  async #upload(
    bytes: Uint8Array,
    dtype: 'float32' | 'int32' | 'bool' | 'bytes',
    shape: number[],
  ): Promise<number> {
    const handle = this.newHandle();
    await this.#take([['upload', handle, dtype, shape, bytes.length, 0]], [bytes]);
    return handle;
  }

  async #ask(command: (id: number) => Command) {
    this.#ids += 1;
    const id = this.#ids;
    await this.#take([command(id)]);
    const answers = this.#answers.filter(({ result }) => result[1] === id);
    this.#answers = [];
    return answers;
  }

  async #take(commands: readonly Command[], raw: Uint8Array[] = []): Promise<void> {
    await this.#session.take(Buffer.from(Buffer.concat(encodeBatch(commands, raw))));
    this.#results.flush();
  }
}
