import * as tf from '@tensorflow/tfjs-core';
import { decodeBatch, malformed, rawPart } from '../../../shared/tensors/batch.ts';
import {
  type Failure,
  parseCommand,
  type TensorCommand,
} from '../../../shared/tensors/commands.ts';
import {
  bytesPerValue,
  type DataTypeName,
  type StoredTypeName,
  sizeOf,
  type TensorValues,
} from '../../../shared/tensors/data.ts';
import { isModelCommand } from '../../../shared/tensors/model-commands.ts';
import { type ArrivingTensor, arrivingTensor, heldOf } from './arriving-tensor.ts';
import { noMemory, told, tooMuchToSend, wordsOf } from './failures.ts';
import { namedAttributes } from './kernel-arguments.ts';
import { SessionModels } from './models/session-models.ts';
import { outputBytes } from './output-bytes.ts';
import type { ResultWriter } from './result-writer.ts';
import { runKernel } from './run-kernel.ts';
import { bytesIn, bytesPerString, describeTensor } from './tensor-bytes.ts';
import { type Quota, TensorStore } from './tensor-store.ts';
import { valuesInPieces } from './tensor-values.ts';

type CommandOf<Name extends TensorCommand[0]> = Extract<TensorCommand, [Name, ...unknown[]]>;

interface Arriving {
  readonly tensor: ArrivingTensor;
  received: number;
}

/**
 * Does a client's commands in their order. A kernel that fails does not stop what follows: its
 * outputs stand for the failure, and so do those of kernels that take them. The client is told at
 * once, though nobody waits.
 */
export class TensorSession {
  readonly #quota: Quota;
  readonly #store: TensorStore;
  readonly #models: SessionModels;
  readonly #results: ResultWriter;
  readonly #arriving = new Map<number, Arriving>();
  #arrivingBytes = 0;
  #calls = 0;

  constructor(quota: Quota, results: ResultWriter) {
    this.#quota = quota;
    this.#store = new TensorStore(quota);
    this.#results = results;
    this.#models = new SessionModels({
      store: this.#store,
      results,
      quotaBytes: quota.bytes,
      refusal: (bytes, handles) => this.#refusal(handles, bytes),
      requireNew: (handle) => this.#requireNew(handle),
    });
  }

  /**
   * One batch at a time: the next may be given when this is done.
   * @throws TeletrainError `malformed-batch`, `too-many-tensors`; the session cannot go on then.
   */
  async take(payload: Uint8Array): Promise<void> {
    const { list, raw } = decodeBatch(payload);
    for (const entry of list) {
      const command = parseCommand(entry);
      if (isModelCommand(command)) await this.#models.do(command, this.#calls);
      else this.#do(command, raw, this.#calls);
      this.#calls += 1;
    }
  }

  #do(command: TensorCommand, raw: Uint8Array, call: number): void {
    switch (command[0]) {
      case 'run':
        this.#run(command, call);
        return;
      case 'dispose':
        for (const handle of command[1]) {
          this.#arrived(handle)?.giveUp();
          this.#store.release(handle);
        }
        return;
      case 'upload':
        this.#upload(command, raw, call);
        return;
      case 'part':
        this.#part(command, raw);
        return;
      case 'read':
        this.#read(command);
        return;
      case 'describe':
        this.#describe(command);
        return;
    }
  }

  #run([, name, inputs, values, outputs]: CommandOf<'run'>, call: number): void {
    for (const output of outputs) this.#requireNew(output);
    const tensors: (tf.Tensor | null)[] = [];
    for (const input of inputs) {
      if (input === null) tensors.push(null);
      else {
        const held = this.#store.tensorOf(input, call);
        if ('failure' in held) {
          this.#fail(outputs, held.failure, held.failure.call === call);
          return;
        }
        tensors.push(held.tensor);
      }
    }
    const what = `${name}(${tensors.map((tensor) => (tensor ? describeTensor(tensor) : 'none')).join(', ')})`;
    const attributes = namedAttributes(name, values);
    let made: tf.Tensor[];
    try {
      // Before it runs: a kernel takes the memory for what it is asked, however much that is.
      const bytes = outputBytes(name, tensors, attributes, outputs.length);
      const refusal = this.#refusal(outputs.length, bytes);
      if (refusal) {
        this.#fail(outputs, told(refusal, what, call));
        return;
      }
      made = runKernel(name, tensors, attributes);
    } catch (error) {
      this.#fail(outputs, {
        code: 'kernel-failed',
        message: `${what} failed on the worker: ${wordsOf(error)}`,
        hint: 'The stack shows the line that asked for it.',
        call,
      });
      return;
    }
    const tooMuch =
      made.length === outputs.length
        ? this.#refusal(
            0,
            made.reduce((sum, tensor) => sum + bytesIn(tensor), 0),
          )
        : {
            code: 'kernel-failed',
            message: `${made.length} outputs came where ${outputs.length} were expected`,
            hint: 'Use the same version of teletrain on both ends.',
          };
    if (tooMuch) {
      tf.dispose(made);
      this.#fail(outputs, told(tooMuch, what, call));
      return;
    }
    for (const [place, tensor] of made.entries()) {
      this.#store.hold(outputs[place] ?? -1, { tensor });
    }
  }

  #upload(command: CommandOf<'upload'>, raw: Uint8Array, call: number): void {
    const [, handle, dtype, shape, byteLength, at] = command;
    this.#requireNew(handle);
    const expected = sizeOf(shape) * (dtype === 'bytes' ? 1 : bytesPerValue[dtype]);
    if (dtype !== 'string' && byteLength !== expected) {
      throw malformed(`${byteLength} bytes are not a tensor of ${dtype} [${shape}]`);
    }
    const strings = dtype === 'string' ? sizeOf(shape) * bytesPerString : 0;
    const refusal = this.#refusal(1, byteLength + strings);
    if (refusal) {
      this.#fail([handle], told(refusal, `An upload of [${shape}]`, call));
      return;
    }
    if (at === -1) {
      const tensor = allocated(dtype, shape, byteLength);
      if (tensor === undefined) {
        this.#fail([handle], noMemory(`An upload of [${shape}]`, call));
        return;
      }
      this.#arrivingBytes += byteLength;
      this.#arriving.set(handle, { tensor, received: 0 });
      return;
    }
    // The batch's own memory is used again.
    const bytes = new Uint8Array(rawPart(raw, at, byteLength));
    this.#store.hold(handle, heldOf(dtype, shape, bytes));
  }

  #part([, handle, offset, at, length]: CommandOf<'part'>, raw: Uint8Array): void {
    const upload = this.#arriving.get(handle);
    if (upload === undefined) {
      // What is left of an upload that was refused.
      if (this.#store.get(handle)) return;
      throw malformed(`a part of an upload to ${handle}, which was not begun`);
    }
    const { tensor } = upload;
    if (offset !== upload.received || offset + length > tensor.byteLength) {
      throw malformed(`a part of an upload at ${offset}, where ${upload.received} was expected`);
    }
    tensor.add(rawPart(raw, at, length));
    upload.received += length;
    if (upload.received < tensor.byteLength) return;
    this.#arrived(handle);
    this.#store.hold(handle, tensor.whole());
  }

  #read([, id, handle]: CommandOf<'read'>): void {
    const held = this.#store.tensorOf(handle, this.#calls);
    if ('failure' in held) {
      this.#results.add(['failed', id, held.failure]);
      return;
    }
    const { tensor } = held;
    if (this.#results.waitingBytes + bytesIn(tensor) > this.#quota.bytes) {
      const what = `Reading ${describeTensor(tensor)}`;
      this.#results.add([
        'failed',
        id,
        tooMuchToSend(what, this.#results.waitingBytes, this.#calls),
      ]);
      return;
    }
    try {
      const source = valuesInPieces(tensor);
      if (source) {
        this.#results.addSource(id, tensor.dtype, tensor.shape, source);
        return;
      }
      // Strings come as the bytes that they are.
      const values = tf.engine().readSync(tensor.dataId) as TensorValues;
      this.#results.addData(id, tensor.dtype, tensor.shape, values);
    } catch (error) {
      this.#results.add([
        'failed',
        id,
        {
          code: 'kernel-failed',
          message: `Reading ${describeTensor(tensor)} failed on the worker: ${wordsOf(error)}`,
          hint: 'The stack shows the line that asked for it.',
          call: this.#calls,
        },
      ]);
    }
  }

  #describe([, id, handles]: CommandOf<'describe'>): void {
    const held = handles.map((handle) => this.#store.tensorOf(handle, this.#calls));
    const outputs: [DataTypeName, number[]][] = [];
    for (const one of held) {
      if ('failure' in one) {
        this.#results.add(['failed', id, one.failure]);
        return;
      }
      outputs.push([one.tensor.dtype, one.tensor.shape]);
    }
    this.#results.add(['described', id, outputs]);
  }

  /** Why so much more cannot be held, with what is arriving. */
  #refusal(handles: number, bytes: number): Omit<Failure, 'call'> | undefined {
    return this.#store.refusal(handles + this.#arriving.size, bytes + this.#arrivingBytes);
  }

  /** An upload is whole, or not wanted any more. */
  #arrived(handle: number): ArrivingTensor | undefined {
    const tensor = this.#arriving.get(handle)?.tensor;
    this.#arrivingBytes -= tensor?.byteLength ?? 0;
    this.#arriving.delete(handle);
    return tensor;
  }

  #fail(outputs: readonly number[], failure: Failure, isNew = true): void {
    if (isNew) this.#results.add(['failed', 0, failure]);
    for (const output of outputs) this.#store.hold(output, { failure });
  }

  #requireNew(handle: number): void {
    if (this.#store.get(handle) || this.#arriving.has(handle)) {
      throw malformed(`the handle ${handle} is in use`);
    }
  }
}

/** Undefined where the system has no room for so many bytes. */
function allocated(
  dtype: StoredTypeName,
  shape: readonly number[],
  byteLength: number,
): ArrivingTensor | undefined {
  try {
    return arrivingTensor(dtype, shape, byteLength);
  } catch (error) {
    // TensorFlow's errors have no class.
    if (error instanceof RangeError || /OOM|[Mm]emory/.test(wordsOf(error))) return undefined;
    throw error;
  }
}
