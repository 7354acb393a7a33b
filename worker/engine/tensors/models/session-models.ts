import type * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { TeletrainError } from '../../../../shared/errors.ts';
import { limits } from '../../../../shared/limits.ts';
import { malformed } from '../../../../shared/tensors/batch.ts';
import type { Failure } from '../../../../shared/tensors/commands.ts';
import type { ModelCommand, Options } from '../../../../shared/tensors/model-commands.ts';
import {
  mapSeveral,
  type OneOrMore,
  type Several,
  several,
} from '../../../../shared/tensors/one-or-more.ts';
import { tooMuchToSend, wordsOf } from '../failures.ts';
import type { ResultWriter } from '../result-writer.ts';
import { bytesIn } from '../tensor-bytes.ts';
import type { TensorStore } from '../tensor-store.ts';
import { describeCommand } from './describe-command.ts';
import type { GivenBatch, Network, SampleRequest } from './network.ts';
import { RecipeNetwork, recipeBytes } from './recipe-network.ts';
import { SessionModel } from './session-model.ts';

type CommandOf<Name extends ModelCommand[0]> = Extract<ModelCommand, [Name, ...unknown[]]>;

const samplingSchema = z.strictObject({
  count: z.int().min(1).max(limits.sampledPictures).default(1),
  givenRows: z.int().min(0).default(0),
  seed: z.int().min(0).max(0xffffffff).default(1),
  temperature: z.number().positive().default(1),
});

export interface SessionModelsOptions {
  /** The session's tensors; what the models take is counted there. */
  readonly store: TensorStore;
  readonly results: ResultWriter;
  /** Of all that the session holds, and of all that waits to be sent. */
  readonly quotaBytes: number;
  /** Why so many more bytes and handles cannot be held; undefined where they can. */
  readonly refusal: (bytes: number, handles: number) => Omit<Failure, 'call'> | undefined;
  /** @throws TeletrainError `malformed-batch` for a handle that is in use */
  readonly requireNew: (handle: number) => void;
}

/**
 * A session's models by the numbers that the client gave them. Every command is answered, and one that
 * fails leaves its model as it was.
 */
export class SessionModels {
  readonly #store: TensorStore;
  readonly #results: ResultWriter;
  readonly #quotaBytes: number;
  readonly #refusal: SessionModelsOptions['refusal'];
  readonly #requireNewHandle: SessionModelsOptions['requireNew'];
  readonly #models = new Map<number, SessionModel | Failure>();

  constructor({ store, results, quotaBytes, refusal, requireNew }: SessionModelsOptions) {
    this.#store = store;
    this.#results = results;
    this.#quotaBytes = quotaBytes;
    this.#refusal = refusal;
    this.#requireNewHandle = requireNew;
  }

  /**
   * @param call which command of the session it is
   * @throws TeletrainError `malformed-batch` for a new model with the number of another, or outputs with
   *   handles that are in use; `too-many-models` and `too-many-tensors` when failures alone are as many as there may be models.
   */
  async do(command: ModelCommand, call: number): Promise<void> {
    if (command[0] === 'disposeModel') {
      this.#dispose(command[1]);
      return;
    }
    const [, id, number] = command;
    if (isCreation(command)) this.#requireNew(number);
    const outputs = command[0] === 'predict' ? command[4] : [];
    for (const output of outputs) this.#requireNewHandle(output);
    try {
      await this.#answer(command, call);
    } catch (error) {
      const failure = this.#failure(command, error, call);
      this.#results.add(['failed', id, failure]);
      if (isCreation(command)) this.#models.set(number, failure);
      for (const output of outputs) this.#store.hold(output, { failure });
    }
  }

  async #answer(command: Exclude<ModelCommand, ['disposeModel', number]>, call: number) {
    switch (command[0]) {
      case 'createRecipeModel':
        return this.#createFromRecipe(command);
      case 'createLayersModel':
        return await this.#createFromLayers(command, call);
      case 'forwardBackward':
      case 'evaluate': {
        const [name, id, number, inputs, targets, loss] = command;
        const batch: GivenBatch = {
          inputs: this.#tensors(inputs, call),
          targets: targets === null ? undefined : this.#tensors(targets, call),
          loss: loss === null || typeof loss === 'string' ? (loss ?? undefined) : several(loss),
        };
        return await this.#use(number, async (model) => {
          this.#results.add(['values', id, await model[name](batch)]);
        });
      }
      case 'predict': {
        const [, id, number, inputs, outputs] = command;
        const given = this.#tensors(inputs, call);
        return await this.#use(number, async (model) => {
          this.#reserve(0, outputs.length);
          this.#holdOutputs(id, await model.predict(given, outputs.length), outputs);
        });
      }
      case 'optimStep': {
        const [, id, number, options] = command;
        return await this.#use(number, (model) => {
          this.#results.add(['values', id, model.optimStep(options)]);
        });
      }
      case 'sample': {
        const [, id, number, given, options] = command;
        const request = this.#sampleRequest(given, options, call);
        return await this.#use(number, async (model) => {
          const { pixels, shape } = await model.sample(request);
          this.#results.addData(id, 'bool', shape, pixels);
        });
      }
      case 'saveState': {
        const [, id, number] = command;
        return await this.#use(number, async (model) => {
          this.#requireRoomToSend(model.bytes, call);
          const bytes = await model.saveState();
          this.#results.addData(id, 'bytes', [bytes.byteLength], bytes);
        });
      }
      case 'loadState': {
        const [, id, number, handle] = command;
        const bytes = this.#bytes(handle, call);
        return await this.#use(number, (model) => {
          this.#results.add(['values', id, model.loadState(bytes)]);
        });
      }
    }
  }

  #createFromRecipe([, id, number, recipe, settings]: CommandOf<'createRecipeModel'>): void {
    this.#requireRoom();
    this.#reserve(recipeBytes(recipe, settings));
    this.#hold(id, number, new RecipeNetwork(recipe, settings));
  }

  async #createFromLayers(
    [, id, number, modelJson, weights]: CommandOf<'createLayersModel'>,
    call: number,
  ): Promise<void> {
    this.#requireRoom();
    const files = {
      modelJson: this.#bytes(modelJson, call),
      weights: weights === null ? undefined : this.#bytes(weights, call),
    };
    // tfjs-layers is loaded for the sessions that use it alone.
    const { loadLayersNetwork } = await import('./load-layers-network.ts');
    this.#hold(id, number, await loadLayersNetwork(files, this.#reserve));
  }

  #hold(id: number, number: number, network: Network): void {
    const model = new SessionModel(network, this.#reserve);
    this.#models.set(number, model);
    this.#store.charge(model.bytes);
    const { parameters, bytes } = model;
    this.#results.add(['values', id, { parameters, bytes }]);
  }

  #holdOutputs(id: number, made: readonly tf.Tensor[], outputs: readonly number[]): void {
    try {
      const bytes = made.reduce((sum, tensor) => sum + bytesIn(tensor), 0);
      this.#reserve(bytes, made.length);
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
    // As many as outputs: the model counted them.
    for (const [place, tensor] of made.entries()) {
      this.#store.hold(outputs[place] ?? -1, { tensor });
    }
    this.#results.add(['described', id, made.map(({ dtype, shape }) => [dtype, shape])]);
  }

  #dispose(number: number): void {
    const model = this.#models.get(number);
    this.#models.delete(number);
    if (!(model instanceof SessionModel)) return;
    this.#store.charge(-model.bytes);
    model.dispose();
  }

  /** Counts what a model takes after its command. @throws SessionFailure, and what `body` throws. */
  async #use(number: number, body: (model: SessionModel) => void | Promise<void>): Promise<void> {
    const model = this.#models.get(number);
    if (model === undefined) {
      throw new TeletrainError(
        'unknown-model',
        `The session has no model ${number}; it was disposed of, or never made.`,
        { hint: 'Use models before they are disposed of.' },
      );
    }
    if (!(model instanceof SessionModel)) throw new SessionFailure(model);
    const before = model.bytes;
    try {
      await body(model);
    } finally {
      this.#store.charge(model.bytes - before);
    }
  }

  #requireNew(number: number): void {
    if (this.#models.has(number)) throw malformed(`the model ${number} is in use`);
    if (this.#models.size >= 2 * limits.tensorModels) throw tooManyModels(this.#models.size);
  }

  #requireRoom(): void {
    if (this.#models.size >= limits.tensorModels) throw tooManyModels(this.#models.size);
  }

  readonly #reserve = (bytes: number, handles = 0): void => {
    const refusal = this.#refusal(bytes, handles);
    if (refusal === undefined) return;
    const { code, message, hint } = refusal;
    throw new TeletrainError(code, `${message}.`, { hint });
  };

  #requireRoomToSend(bytes: number, call: number): void {
    const { waitingBytes } = this.#results;
    if (waitingBytes + bytes <= this.#quotaBytes) return;
    throw new SessionFailure(tooMuchToSend('saveState()', waitingBytes, call));
  }

  #tensor(handle: number, call: number): tf.Tensor {
    const held = this.#store.tensorOf(handle, call);
    if ('failure' in held) throw new SessionFailure(held.failure);
    return held.tensor;
  }

  #tensors(handles: OneOrMore<number>, call: number): Several<tf.Tensor> {
    return mapSeveral(several(handles), (handle) => this.#tensor(handle, call));
  }

  #bytes(handle: number, call: number): Uint8Array {
    const held = this.#store.bytesOf(handle, call);
    if ('failure' in held) throw new SessionFailure(held.failure);
    return held.bytes;
  }

  #sampleRequest(handle: number | null, options: Options, call: number): SampleRequest {
    const parsed = samplingSchema.safeParse(options);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new TeletrainError(
        'bad-option',
        `An option of sampling cannot be used: ${issue?.path.join('.')}: ${issue?.message}.`,
        { hint: 'See SampleOptions for what there is.' },
      );
    }
    const given = handle === null ? undefined : this.#tensor(handle, call);
    this.#reserve(parsed.data.count * (given?.size ?? 1));
    return { given, ...parsed.data };
  }

  #failure(command: ModelCommand, error: unknown, call: number): Failure {
    if (error instanceof SessionFailure) return error.failure;
    const what = describeCommand(command, this.#store);
    if (error instanceof TeletrainError) {
      const { code, message, hint } = error;
      return { code, message: `${what}: ${message}`, hint, call };
    }
    // Programming errors of ours and tfjs' complaints about shapes are both plain errors.
    return {
      code: 'model-failed',
      message: `${what} failed on the worker: ${wordsOf(error)}`,
      hint: 'The stack shows the line that asked for it.',
      call,
    };
  }
}

function tooManyModels(count: number): TeletrainError {
  return new TeletrainError('too-many-models', `The session has ${count} models already.`, {
    hint: 'Dispose of models that are no longer needed.',
  });
}

/** A failure that was told before: a tensor or a model stands for it. */
class SessionFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

const isCreation = ([name]: ModelCommand): boolean =>
  name === 'createRecipeModel' || name === 'createLayersModel';
