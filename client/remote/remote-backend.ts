import * as tf from '@tensorflow/tfjs-core';
import type { AttributeValue } from '../../shared/tensors/commands.ts';
import {
  type StoredTypeName,
  sizeOf,
  type TensorValues,
  valuesOf,
} from '../../shared/tensors/data.ts';
import { type KernelName, kernelSignature } from '../../shared/tensors/kernels.ts';
import type { Output } from '../../shared/tensors/output-shapes/output.ts';
import { outputsOf, waitedOutputs } from '../../shared/tensors/output-shapes/outputs.ts';
import { backwardPass } from './backward-pass.ts';
import type { Answer, CommandQueue } from './command-queue.ts';

/** A tensor on the worker. */
interface RemoteTensor {
  readonly handle: number;
  readonly dtype: tf.DataType;
  readonly shape: readonly number[];
  /** Tensors of this program that share it. */
  references: number;
}

/**
 * tfjs' backend whose tensors live on a worker. Kernels are sent and not waited for: what they will
 * give is worked out here. Reading waits, and so do the kernels whose outputs' shapes depend on
 * values.
 */
export class RemoteBackend extends tf.KernelBackend {
  readonly #queue: CommandQueue;
  readonly #tensors: tf.DataStorage<RemoteTensor>;
  #handles = 0;
  /** Handles that were not disposed of. */
  readonly #held = new Set<number>();

  constructor(queue: CommandQueue) {
    super();
    this.#queue = queue;
    this.#tensors = new tf.DataStorage<RemoteTensor>(this, tf.engine());
  }

  /** Called by every kernel that is registered for this backend. */
  run(
    name: KernelName,
    inputs: tf.NamedTensorInfoMap,
    attributes: tf.NamedAttrMap | undefined,
  ): tf.TensorInfo | tf.TensorInfo[] {
    const signature = kernelSignature(name);
    const given: (tf.TensorInfo | null)[] =
      signature.inputs === 'list'
        ? // Kernels with a list of inputs are given an array.
          (Object.values(inputs) as tf.TensorInfo[])
        : signature.inputs.map((key) => inputs[key] ?? null);
    const handles = given.map((input) => input && this.#tensors.get(input.dataId).handle);
    const values = signature.attributes.map((key) =>
      attributeValue((attributes as Record<string, unknown> | undefined)?.[key]),
    );
    if (name === 'Identity' && given[0]) return this.#share(given[0]);
    const inferred = outputsOf(name, given, attributes ?? {});
    const count = inferred?.length ?? waitedOutputs(name);
    const outputs = Array.from({ length: count }, () => this.#nextHandle());
    const pass = backwardPass();
    const asker = pass ? tf.engine().gradients : this.run;
    this.#queue.run(['run', name, handles, values, outputs], asker, pass);
    const described = inferred ?? this.#describe(outputs);
    const infos = outputs.map((handle, place) => this.#track(handle, described[place]));
    return returnsList.has(name) ? infos : (infos[0] as tf.TensorInfo);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: object,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ): void {
    const handle = this.#nextHandle();
    this.#queue.upload(handle, dtype, shape, asStored(values, dtype));
    this.#tensors.set(dataId, { handle, dtype, shape, references });
  }

  /** The worker's handle of a tensor; one of another backend of tfjs is moved to this one first. */
  handleOf({ dataId }: { readonly dataId: object }): number {
    return this.#tensors.get(dataId).handle;
  }

  /** Sends values that no tensor of this program stands for; `release` them. */
  upload(values: TensorValues, shape: readonly number[], dtype: StoredTypeName): number {
    const handle = this.#nextHandle();
    this.#queue.upload(handle, dtype, shape, values);
    return handle;
  }

  /** For a tensor that a command makes and no tensor of this program stands for; `release` it. */
  reserve(): number {
    return this.#nextHandle();
  }

  release(handles: number[]): void {
    this.#release(handles);
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    const tensor = this.#tensors.get(dataId);
    const answer = await this.#queue.ask((id) => ['read', id, tensor.handle]);
    return readValues(answer, tensor);
  }

  override readSync(dataId: object): tf.BackendValues {
    const tensor = this.#tensors.get(dataId);
    const answer = this.#queue.askSync((id) => ['read', id, tensor.handle]);
    return readValues(answer, tensor);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.#tensors.has(dataId)) return true;
    const tensor = this.#tensors.get(dataId);
    tensor.references -= 1;
    if (!force && tensor.references > 0) return false;
    this.#tensors.delete(dataId);
    this.#release([tensor.handle]);
    return true;
  }

  override incRef(dataId: object): void {
    this.#tensors.get(dataId).references += 1;
  }

  override refCount(dataId: object): number {
    return this.#tensors.has(dataId) ? this.#tensors.get(dataId).references : 0;
  }

  override numDataIds(): number {
    return this.#tensors.numDataIds();
  }

  /** tfjs counts the tensors itself; each that it counts is one on the worker, and no others are. */
  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override timerAvailable(): boolean {
    return true;
  }

  /** The time between the worker's answers that what came before is done, and that this is. */
  override async time(f: () => void): Promise<tf.BackendTimingInfo> {
    const before = this.#doneAt();
    // tfjs' profiler counts on its being called now.
    f();
    const after = this.#doneAt();
    return { kernelMs: -(await before) + (await after) };
  }

  /** tfjs has no more use for it, and may have later: the tensors go, the session stays. */
  override dispose(): void {
    this.#release([...this.#held]);
  }

  async #doneAt(): Promise<number> {
    await this.#queue.ask((id) => ['describe', id, []]);
    return performance.now();
  }

  #nextHandle(): number {
    this.#handles += 1;
    this.#held.add(this.#handles);
    return this.#handles;
  }

  #release(handles: number[]): void {
    for (const handle of handles) this.#held.delete(handle);
    // With the session everything was freed.
    if (handles.length > 0 && !this.#queue.hasEnded) this.#queue.push(['dispose', handles]);
  }

  #share({ dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
    this.incRef(dataId);
    return { dataId, shape, dtype };
  }

  #describe(handles: number[]): readonly Output[] {
    const answer = this.#queue.askSync((id) => ['describe', id, handles]);
    if (answer.type !== 'described') throw unexpectedAnswer();
    return answer.outputs.map(([dtype, shape]) => ({ dtype, shape }));
  }

  #track(handle: number, output: Output | undefined): tf.TensorInfo {
    if (output === undefined) throw unexpectedAnswer();
    const dataId = {};
    const { dtype } = output;
    const shape = [...output.shape];
    this.#tensors.set(dataId, { handle, dtype, shape, references: 1 });
    return { dataId, dtype, shape };
  }
}

/** Kernels that give an array, also where it has one element. */
const returnsList: ReadonlySet<KernelName> = new Set<KernelName>([
  'MaxPoolWithArgmax',
  'NonMaxSuppressionV4',
  'NonMaxSuppressionV5',
  'RaggedRange',
  'SparseFillEmptyRows',
  'SparseReshape',
  'SplitV',
  'StringNGrams',
  'StringSplit',
  'TopK',
  'Unique',
  'Unpack',
]);

function readValues(answer: Answer, { dtype, shape }: RemoteTensor): TensorValues {
  if (answer.type !== 'data') throw unexpectedAnswer();
  if (answer.dtype !== dtype || answer.shape.join() !== shape.join()) {
    throw new Error(
      `The worker made a tensor of ${answer.dtype} [${answer.shape}] where ${dtype} [${shape}] was expected.`,
    );
  }
  return valuesOf(new Uint8Array(answer.bytes), dtype, sizeOf(shape));
}

/** tfjs' kernels pass what JSON can hold, typed arrays, and undefined. */
function attributeValue(value: unknown): AttributeValue | null {
  if (value === undefined || value === null) return null;
  if (ArrayBuffer.isView(value)) return [...(value as Int32Array)];
  return value as AttributeValue;
}

/** The typed array that this data type's values are kept in. */
function asStored(values: tf.BackendValues, dtype: tf.DataType): TensorValues {
  if (dtype === 'string') return values as Uint8Array[];
  const numbers = values as Float32Array | Int32Array | Uint8Array;
  if (dtype === 'int32') return numbers instanceof Int32Array ? numbers : Int32Array.from(numbers);
  if (dtype === 'bool') return numbers instanceof Uint8Array ? numbers : Uint8Array.from(numbers);
  return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
}

function unexpectedAnswer(): Error {
  return new TypeError('the worker answered what was not asked');
}
