import { sizeOf, valuesOf } from '../../shared/tensors/data.ts';
import type { LossName } from '../../shared/tensors/losses.ts';
import type { Options } from '../../shared/tensors/model-commands.ts';
import type { OneOrMore } from '../../shared/tensors/one-or-more.ts';
import type { Answer, CommandQueue } from './command-queue.ts';
import type {
  ArrayValues,
  Batch,
  CreateModelOptions,
  OptimStepOptions,
  RemoteModel,
  SampledPictures,
  SampleOptions,
  StepValues,
  Values,
} from './model.ts';
import { outputsOf } from './model-outputs.ts';
import type { RemoteBackend } from './remote-backend.ts';

const defaultGivenRows = 14;

/** Makes a session's models and gives them their numbers. */
export class RemoteModels {
  readonly #queue: CommandQueue;
  readonly #backend: RemoteBackend;
  #numbers = 0;

  constructor(queue: CommandQueue, backend: RemoteBackend) {
    this.#queue = queue;
    this.#backend = backend;
  }

  create(options: CreateModelOptions): RemoteModel {
    this.#numbers += 1;
    return new ModelOnWorker(this.#queue, this.#backend, this.#numbers, options);
  }
}

/** `RemoteModel` by commands. Each is issued before the method returns, so they keep their order. */
class ModelOnWorker implements RemoteModel {
  readonly created: RemoteModel['created'];
  readonly #queue: CommandQueue;
  readonly #backend: RemoteBackend;
  readonly #model: number;
  readonly #outputs: number;

  constructor(
    queue: CommandQueue,
    backend: RemoteBackend,
    model: number,
    options: CreateModelOptions,
  ) {
    this.#queue = queue;
    this.#backend = backend;
    this.#model = model;
    this.#outputs = 'recipe' in options ? 1 : outputsOf(options.modelJson);
    this.created = this.#create(options);
    // Whoever uses the model is told.
    this.created.catch(() => {});
  }

  async forwardBackward(
    batch: Batch,
    loss: OneOrMore<LossName> | null = null,
  ): Promise<StepValues> {
    return numbers(
      await this.#with((send) => {
        const inputs = send.oneOrMore(batch.inputs);
        const targets = batch.targets ? send.oneOrMore(batch.targets) : null;
        return this.#queue.call(
          (id) => ['forwardBackward', id, this.#model, inputs, targets, loss],
          this.forwardBackward,
        );
      }),
    );
  }

  async predict(given: OneOrMore<Values>): Promise<readonly ArrayValues[]> {
    const [, ...outputs] = await this.#with((send) => {
      const inputs = send.oneOrMore(given);
      const handles = Array.from({ length: this.#outputs }, () => send.reserve());
      const predicted = this.#queue.call(
        (id) => ['predict', id, this.#model, inputs, handles],
        this.predict,
      );
      const reads = handles.map((handle) =>
        this.#queue.call((id) => ['read', id, handle], this.predict),
      );
      return Promise.all([predicted, ...reads]);
    });
    return outputs.map(valuesIn);
  }

  async optimStep(options: OptimStepOptions = {}) {
    const given = defined({ ...options });
    return numbers<{ step: number; gradientNorm: number }>(
      await this.#queue.call((id) => ['optimStep', id, this.#model, given], this.optimStep),
    );
  }

  async evaluate(batch: Batch, loss: OneOrMore<LossName> | null = null): Promise<StepValues> {
    return numbers(
      await this.#with((send) => {
        const inputs = send.oneOrMore(batch.inputs);
        const targets = batch.targets ? send.oneOrMore(batch.targets) : null;
        return this.#queue.call(
          (id) => ['evaluate', id, this.#model, inputs, targets, loss],
          this.evaluate,
        );
      }),
    );
  }

  async sample(options: SampleOptions = {}): Promise<SampledPictures> {
    const { given, count = 1, seed = 1, givenRows = defaultGivenRows, temperature } = options;
    const settings = defined({ count, seed, givenRows: given ? givenRows : 0, temperature });
    const { bytes, shape } = data(
      await this.#with((send) => {
        const pictures = given ? send.values(given) : null;
        return this.#queue.call(
          (id) => ['sample', id, this.#model, pictures, settings],
          this.sample,
        );
      }),
    );
    return { pixels: new Uint8Array(bytes), shape };
  }

  async saveState(): Promise<Uint8Array> {
    return new Uint8Array(
      data(await this.#queue.call((id) => ['saveState', id, this.#model], this.saveState)).bytes,
    );
  }

  async loadState(bytes: Uint8Array) {
    return numbers<{ step: number }>(
      await this.#with((send) => {
        const file = send.file(bytes);
        return this.#queue.call((id) => ['loadState', id, this.#model, file], this.loadState);
      }),
    );
  }

  dispose(): void {
    // With the session everything was freed.
    if (!this.#queue.hasEnded) this.#queue.push(['disposeModel', this.#model]);
  }

  #create(options: CreateModelOptions): RemoteModel['created'] {
    if ('recipe' in options) return this.#createFromRecipe(options);
    const { modelJson, weights } = options;
    // What is no JSON throws here, in the program's own line.
    const text = typeof modelJson === 'string' ? modelJson : JSON.stringify(modelJson);
    return this.#createFromLayers(Buffer.from(text), weights);
  }

  async #createFromRecipe(options: Extract<CreateModelOptions, { readonly recipe: string }>) {
    const { recipe, settings, seed } = options;
    const given = defined({ ...settings, seed: seed ?? settings?.seed });
    return numbers<{ parameters: number; bytes: number }>(
      await this.#queue.call(
        (id) => ['createRecipeModel', id, this.#model, recipe, given],
        RemoteModels.prototype.create,
      ),
    );
  }

  async #createFromLayers(modelJson: Uint8Array, weights: Uint8Array | undefined) {
    return numbers<{ parameters: number; bytes: number }>(
      await this.#with((send) => {
        const file = send.file(modelJson);
        const weightsFile = weights ? send.file(weights) : null;
        return this.#queue.call(
          (id) => ['createLayersModel', id, this.#model, file, weightsFile],
          RemoteModels.prototype.create,
        );
      }),
    );
  }

  /**
   * Issues commands on values, of which those that are not on the worker are sent before them and freed
   * after them.
   */
  async #with<Result>(issue: (send: ValueSender) => Promise<Result>): Promise<Result> {
    const send = new ValueSender(this.#backend);
    let result: Promise<Result>;
    try {
      result = issue(send);
      // Where the session ends at the release below, that throws, and the result is of no interest.
      result.catch(() => {});
    } finally {
      this.#backend.release(send.sent);
    }
    return await result;
  }
}

/** Gives what a command computes with handles, and remembers those that are no tensor's. */
class ValueSender {
  readonly sent: number[] = [];
  readonly #backend: RemoteBackend;

  constructor(backend: RemoteBackend) {
    this.#backend = backend;
  }

  oneOrMore(given: OneOrMore<Values>): OneOrMore<number> {
    if (Array.isArray(given)) return given.map((values: Values) => this.values(values));
    if (isValues(given)) return this.values(given);
    const named = Object.entries(given).map(([name, values]) => [name, this.values(values)]);
    return Object.fromEntries(named);
  }

  values(given: Values): number {
    if ('dataId' in given) return this.#backend.handleOf(given);
    return this.#add(this.#backend.upload(given.values, given.shape, dataTypeOf(given)));
  }

  file(bytes: Uint8Array): number {
    return this.#add(this.#backend.upload(bytes, [bytes.byteLength], 'bytes'));
  }

  /** For a tensor that the command makes. */
  reserve(): number {
    return this.#add(this.#backend.reserve());
  }

  #add(handle: number): number {
    this.sent.push(handle);
    return handle;
  }
}

/** An input may be named `shape`, and is then no list. */
const isValues = (given: object): given is Values => 'shape' in given && Array.isArray(given.shape);

function valuesIn(answer: Answer): ArrayValues {
  const { bytes, dtype, shape } = data(answer);
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') throw unexpectedAnswer();
  // What the data types above are kept in.
  const values = valuesOf(new Uint8Array(bytes), dtype, sizeOf(shape)) as ArrayValues['values'];
  return { values, shape };
}

/** @throws TypeError for values that are not what their shape or their type says. */
function dataTypeOf({ values, shape }: ArrayValues): 'float32' | 'int32' | 'bool' {
  if (values.length !== sizeOf(shape)) {
    throw new TypeError(`${values.length} values are not a tensor [${shape}]`);
  }
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Int32Array) return 'int32';
  if (values.some((value) => value > 1)) throw new TypeError('a Uint8Array holds 0 and 1 alone');
  return 'bool';
}

/** What msgpack would send as nil is left out. */
function defined(options: Readonly<Record<string, Options[string] | undefined>>): Options {
  const given: Record<string, Options[string]> = {};
  for (const [name, value] of Object.entries(options)) if (value !== undefined) given[name] = value;
  return given;
}

/** Which values a command gives, PROTOCOL.md says; the caller names them. */
function numbers<Named extends Readonly<Record<string, number>>>(answer: Answer): Named {
  if (answer.type !== 'values') throw unexpectedAnswer();
  return answer.values as Named;
}

function data(answer: Answer) {
  if (answer.type !== 'data') throw unexpectedAnswer();
  return answer;
}

function unexpectedAnswer(): Error {
  return new TypeError('the worker answered what was not asked');
}
