import { sizeOf } from '../../shared/tensors/data.ts';
import type { LossName } from '../../shared/tensors/losses.ts';
import type { Options } from '../../shared/tensors/model-commands.ts';
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

  constructor(
    queue: CommandQueue,
    backend: RemoteBackend,
    model: number,
    options: CreateModelOptions,
  ) {
    this.#queue = queue;
    this.#backend = backend;
    this.#model = model;
    this.created = this.#create(options);
    // Whoever uses the model is told.
    this.created.catch(() => {});
  }

  async forwardBackward({ inputs, targets }: Batch, loss?: LossName): Promise<StepValues> {
    return numbers(
      await this.#with([inputs, targets], ([given = -1, wanted = null]) =>
        this.#queue.call(
          (id) => ['forwardBackward', id, this.#model, given, wanted, loss ?? null],
          this.forwardBackward,
        ),
      ),
    );
  }

  async optimStep(options: OptimStepOptions = {}) {
    const given = defined({ ...options });
    return numbers<{ step: number; gradientNorm: number }>(
      await this.#queue.call((id) => ['optimStep', id, this.#model, given], this.optimStep),
    );
  }

  async evaluate({ inputs, targets }: Batch, loss?: LossName): Promise<StepValues> {
    return numbers(
      await this.#with([inputs, targets], ([given = -1, wanted = null]) =>
        this.#queue.call(
          (id) => ['evaluate', id, this.#model, given, wanted, loss ?? null],
          this.evaluate,
        ),
      ),
    );
  }

  async sample(options: SampleOptions = {}): Promise<SampledPictures> {
    const { given, count = 1, seed = 1, givenRows = defaultGivenRows, temperature } = options;
    const settings = defined({ count, seed, givenRows: given ? givenRows : 0, temperature });
    const { bytes, shape } = data(
      await this.#with([given], ([pictures = null]) =>
        this.#queue.call((id) => ['sample', id, this.#model, pictures, settings], this.sample),
      ),
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
      await this.#with([bytes], ([file = -1]) =>
        this.#queue.call((id) => ['loadState', id, this.#model, file], this.loadState),
      ),
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
      await this.#with([modelJson, weights], ([file = -1, weightsFile = null]) =>
        this.#queue.call(
          (id) => ['createLayersModel', id, this.#model, file, weightsFile],
          RemoteModels.prototype.create,
        ),
      ),
    );
  }

  /**
   * Issues a command on values, of which those that are not on the worker are sent before it and freed
   * after it. Files are bytes.
   */
  async #with(
    values: readonly (Values | Uint8Array | undefined)[],
    issue: (handles: (number | undefined)[]) => Promise<Answer>,
  ): Promise<Answer> {
    const sent: number[] = [];
    let answer: Promise<Answer>;
    const send = (...upload: Parameters<RemoteBackend['upload']>) => {
      const handle = this.#backend.upload(...upload);
      sent.push(handle);
      return handle;
    };
    try {
      const handles = values.map((value) => {
        if (value === undefined) return undefined;
        if (value instanceof Uint8Array) return send(value, [value.byteLength], 'bytes');
        if ('dataId' in value) return this.#backend.handleOf(value);
        return send(value.values, value.shape, dataTypeOf(value));
      });
      answer = issue(handles);
      // Where the session ends at the release below, that throws, and the answer is of no interest.
      answer.catch(() => {});
    } finally {
      this.#backend.release(sent);
    }
    return await answer;
  }
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
