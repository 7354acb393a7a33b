import * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../../shared/errors.ts';
import type { Options } from '../../../../shared/tensors/model-commands.ts';
import type { Several } from '../../../../shared/tensors/one-or-more.ts';
import { fetchTensors, restoreVariables, toTensor } from '../../checkpoints/tensors.ts';
import { disposeGradients } from '../../models/gradients.ts';
import type { StatefulOptimizer } from '../../models/model.ts';
import { takeValues } from '../../training/evaluate.ts';
import { disposeAbandonedTape } from './abandoned-tape.ts';
import { AccumulatedGradients, globalNorm } from './accumulated-gradients.ts';
import { decodeState, encodeState, type StoredOptimizer } from './model-state.ts';
import {
  badBatch,
  type GivenBatch,
  type Network,
  type Pictures,
  type SampleRequest,
} from './network.ts';
import {
  makeOptimizer,
  type OptimizerKind,
  optimizerSettings,
  slotsOf,
} from './optimizer-settings.ts';

/** @throws TeletrainError `tensor-memory` where so many more bytes are too many for the session. */
export type Reserve = (bytes: number) => void;

interface MadeOptimizer {
  readonly kind: OptimizerKind;
  readonly optimizer: StatefulOptimizer;
}

/**
 * A model of a client's: a network, the gradients that were not applied yet, and from the first step on
 * an optimizer. What throws has changed nothing but for what it says.
 */
export class SessionModel {
  readonly #network: Network;
  readonly #reserve: Reserve;
  readonly #gradients: AccumulatedGradients;
  #made: MadeOptimizer | undefined;

  constructor(network: Network, reserve: Reserve) {
    this.#network = network;
    this.#reserve = reserve;
    this.#gradients = new AccumulatedGradients(network.trainable);
  }

  get parameters(): number {
    return count(this.#network.weights);
  }

  /** What it takes: weights, slots and gradients. */
  get bytes(): number {
    const slots = this.#made ? slotsOf(this.#made.kind) * this.#trainableBytes : 0;
    return 4 * this.parameters + slots + this.#gradients.bytes;
  }

  /**
   * Adds the gradients of the batch's mean loss to those that wait for a step.
   * @returns `loss` and the network's metrics.
   * @throws TeletrainError `not-finite`: the loss is no number; nothing was added.
   */
  async forwardBackward(batch: GivenBatch): Promise<Record<string, number>> {
    if (this.#gradients.isEmpty) this.#reserve(this.#trainableBytes);
    const untrained = this.#keepUntrained();
    try {
      const { gradients, ...result } = this.#network.lossAndGradients(batch);
      const values = await takeValues(result);
      if (!Number.isFinite(values.loss)) {
        disposeGradients(gradients);
        throw notFinite(`The loss is ${values.loss}`);
      }
      this.#gradients.add(gradients);
      return values;
    } catch (error) {
      disposeAbandonedTape();
      for (const [variable, value] of untrained) variable.assign(value);
      throw error;
    } finally {
      for (const value of untrained.values()) value.dispose();
    }
  }

  /**
   * Applies the gradients and forgets them.
   * @returns `step`, counted from 1, and `gradientNorm`, the norm of all gradients before clipping.
   * @throws TeletrainError `no-gradients`, `bad-option`, `optimizer-changed`; `not-finite`: the gradients
   *   are no numbers and are forgotten.
   */
  optimStep(options: Options): Record<string, number> {
    const { kind, step } = optimizerSettings(options, this.#network.optimizer, this.#made?.kind);
    if (this.#gradients.isEmpty) {
      throw new TeletrainError('no-gradients', 'There are no gradients to apply.', {
        hint: 'Call forwardBackward before each optimStep.',
      });
    }
    return this.#gradients.scaled(step.gradientScale, (gradients) => {
      const gradientNorm = globalNorm(gradients);
      if (!Number.isFinite(gradientNorm)) {
        this.#gradients.clear();
        throw notFinite(`The gradients' norm is ${gradientNorm}`);
      }
      const { optimizer } = this.#made ?? this.#makeOptimizer(kind);
      optimizer.learningRate = step.learningRate;
      optimizer.apply(gradients, step.clipNorm);
      this.#gradients.clear();
      return { step: optimizer.iterations, gradientNorm };
    });
  }

  /** With the weights' averages, where they are kept. @returns as `forwardBackward`. */
  async evaluate(batch: GivenBatch): Promise<Record<string, number>> {
    return await this.#withAverages(() => takeValues(this.#network.evaluate(batch)));
  }

  /**
   * With the weights' averages, where they are kept.
   * @param outputs how many the client counts on
   * @throws TeletrainError `bad-batch`
   */
  async predict(inputs: Several<tf.Tensor>, outputs: number): Promise<tf.Tensor[]> {
    if (outputs !== this.#network.outputs) {
      throw badBatch(
        `The model has ${this.#network.outputs} outputs, and ${outputs} were named.`,
        'Name one handle for each.',
      );
    }
    return await this.#withAverages(async () => this.#network.predict(inputs));
  }

  /** With the weights' averages, where they are kept. */
  async sample(request: SampleRequest): Promise<Pictures> {
    return await this.#withAverages(() => this.#network.sample(request));
  }

  async saveState(): Promise<Uint8Array> {
    const weights = await fetchTensors(this.#network.weights);
    if (this.#made === undefined) return encodeState({ weights, optimizer: undefined });
    const { kind, optimizer } = this.#made;
    const slots = await fetchTensors(optimizer.slots());
    return encodeState({ weights, optimizer: { kind, iterations: optimizer.iterations, slots } });
  }

  /**
   * Goes to a saved state; from a file without an optimizer, to its weights and before the first step.
   * Gradients that were not applied are forgotten.
   * @returns `step`: the steps that were applied.
   * @throws TeletrainError `corrupt-safetensors`, `checkpoint-mismatch`.
   */
  loadState(file: Uint8Array): Record<string, number> {
    const state = decodeState(file, new Set(this.#network.weights.keys()));
    const made = state.optimizer && this.#restoredOptimizer(state.optimizer);
    try {
      restoreVariables(this.#network.weights, state.weights);
    } catch (error) {
      made?.optimizer.dispose();
      throw error;
    }
    this.#made?.optimizer.dispose();
    this.#made = made;
    this.#gradients.clear();
    return { step: made?.optimizer.iterations ?? 0 };
  }

  dispose(): void {
    this.#gradients.clear();
    this.#made?.optimizer.dispose();
    this.#network.dispose();
  }

  get #trainableBytes(): number {
    return 4 * count(this.#network.trainable);
  }

  #makeOptimizer(kind: OptimizerKind): MadeOptimizer {
    this.#reserve(slotsOf(kind) * this.#trainableBytes);
    this.#made = { kind, optimizer: makeOptimizer(kind, this.#network.trainable) };
    return this.#made;
  }

  #restoredOptimizer({ kind, iterations, slots }: StoredOptimizer): MadeOptimizer {
    this.#reserve(slotsOf(kind) * this.#trainableBytes);
    const optimizer = makeOptimizer(kind, this.#network.trainable);
    const tensors = new Map([...slots].map(([name, slot]) => [name, toTensor(slot)]));
    try {
      optimizer.restore(iterations, tensors);
    } catch (error) {
      optimizer.dispose();
      throw error;
    } finally {
      tf.dispose([...tensors.values()]);
    }
    return { kind, optimizer };
  }

  /** Weights that a batch changes by itself, as BatchNormalization's, before it does. */
  #keepUntrained(): Map<tf.Variable, tf.Tensor> {
    const { weights, trainable } = this.#network;
    const untrained = [...weights].filter(([name]) => !trainable.has(name));
    return new Map(untrained.map(([, variable]) => [variable, variable.clone()]));
  }

  async #withAverages<Result>(body: () => Promise<Result>): Promise<Result> {
    return this.#made ? await this.#made.optimizer.withAverages(body) : await body();
  }
}

const count = (variables: ReadonlyMap<string, tf.Variable>): number =>
  [...variables.values()].reduce((sum, { size }) => sum + size, 0);

function notFinite(what: string): TeletrainError {
  return new TeletrainError('not-finite', `${what}.`, {
    hint: 'Use a lower learningRate or a smaller clipNorm; the weights are as they were.',
  });
}
