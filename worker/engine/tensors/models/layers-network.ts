import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { TeletrainError } from '../../../../shared/errors.ts';
import { isLossName, type LossName, lossNames } from '../../../../shared/tensors/losses.ts';
import type { Several } from '../../../../shared/tensors/one-or-more.ts';
import type { GradientResult, StepResult } from '../../models/model.ts';
import { describeTensor } from '../tensor-bytes.ts';
import { distinct, inOrder } from './in-order.ts';
import { meanLoss } from './losses.ts';
import { badBatch, type GivenBatch, type Network, type Pictures } from './network.ts';
import type { OptimizerDefaults } from './optimizer-settings.ts';

/** A batch in the order of the model's inputs and outputs. */
interface CheckedBatch {
  readonly inputs: tf.Tensor[];
  readonly targets: readonly tf.Tensor[];
  readonly losses: readonly LossName[];
}

/** A model of tfjs-layers, trained as its `fit` does. */
export class LayersNetwork implements Network {
  readonly weights: ReadonlyMap<string, tf.Variable>;
  readonly trainable: ReadonlyMap<string, tf.Variable>;
  readonly optimizer: OptimizerDefaults = { optimizer: 'adam' };
  readonly #model: LayersModel;
  readonly #inputNames: readonly string[];
  readonly #outputNames: readonly string[];

  constructor(model: LayersModel) {
    this.#model = model;
    // `inputNames` and `outputNames`, which a stack of layers has only once it was called.
    const nameOf = ({ sourceLayer }: SymbolicTensor) => sourceLayer.name;
    this.#inputNames = distinct(model.inputs.map(nameOf));
    this.#outputNames = distinct(model.outputs.map(nameOf));
    const named = namedVariables(model.weights);
    const trained = new Set(model.trainableWeights.map((weight) => weight.read()));
    this.weights = named;
    this.trainable = new Map([...named].filter(([, variable]) => trained.has(variable)));
  }

  get outputs(): number {
    return this.#outputNames.length;
  }

  /** With dropout and the like; regularizers count in the loss, as in `fit`. */
  lossAndGradients(given: GivenBatch): GradientResult {
    const batch = this.#checked(given);
    const names = new Map([...this.trainable].map(([name, variable]) => [variable.name, name]));
    return tf.tidy(() => {
      const ofOutputs: tf.Scalar[] = [];
      const { value, grads } = tf.variableGrads(() => {
        const terms = this.#losses(batch, true);
        // What the gradients' own scope makes, it disposes.
        if (terms.length > 1) for (const term of terms) ofOutputs.push(tf.keep(term));
        return this.#model
          .calculateLosses()
          .reduce((sum, penalty) => tf.add(sum, penalty), sumOf(terms));
      }, [...this.trainable.values()]);
      const gradients = Object.fromEntries(
        Object.entries(grads).map(([name, gradient]) => [names.get(name) ?? name, gradient]),
      );
      return { loss: value, metrics: this.#metrics(ofOutputs), gradients };
    });
  }

  /** Without penalties, as `evaluate` of tfjs-layers. */
  evaluate(given: GivenBatch): StepResult {
    const batch = this.#checked(given);
    return tf.tidy(() => {
      const terms = this.#losses(batch, false);
      return { loss: sumOf(terms), metrics: this.#metrics(terms) };
    });
  }

  predict(inputs: Several<tf.Tensor>): tf.Tensor[] {
    const checked = this.#checkedInputs(inputs);
    // What goes through a model unchanged comes out as the very tensor that the session holds.
    return tf.tidy(() => this.#call(checked, false).map((output) => tf.clone(output)));
  }

  async sample(): Promise<Pictures> {
    throw new TeletrainError('cannot-sample', 'A model from a model.json draws no pictures.', {
      hint: 'Sample from a model of a digit recipe.',
    });
  }

  dispose(): void {
    this.#model.dispose();
  }

  #call(inputs: tf.Tensor[], training: boolean): tf.Tensor[] {
    const outputs = this.#model.call(inputs, { training });
    return Array.isArray(outputs) ? outputs : [outputs];
  }

  /** Each output's, in their order. */
  #losses({ inputs, targets, losses }: CheckedBatch, training: boolean): tf.Scalar[] {
    const outputs = this.#call(inputs, training);
    return losses.map((loss, place) => {
      // As many as losses.
      const [target, output] = [targets[place] as tf.Tensor, outputs[place] as tf.Tensor];
      return meanLoss(loss, target, output);
    });
  }

  /** By Keras' names, where there are several. */
  #metrics(ofOutputs: readonly tf.Scalar[]): Record<string, tf.Scalar> {
    if (ofOutputs.length < 2) return {};
    return Object.fromEntries(
      ofOutputs.map((loss, place) => [`${this.#outputNames[place]}_loss`, loss]),
    );
  }

  #checked({ inputs, targets, loss }: GivenBatch): CheckedBatch {
    const names = this.#outputNames;
    const given = typeof loss === 'string' ? names.map(() => loss) : (loss ?? []);
    if (loss === undefined) throw unknownLoss('for this model');
    const losses = inOrder<string>(given, names, 'losses').map((name) => {
      if (!isLossName(name)) throw unknownLoss(name);
      return name;
    });
    const checkedInputs = this.#checkedInputs(inputs);
    if (targets === undefined) throw badBatch('There are no targets.', `${losses} needs targets.`);
    return { inputs: checkedInputs, targets: inOrder(targets, names, 'targets'), losses };
  }

  #checkedInputs(given: Several<tf.Tensor>): tf.Tensor[] {
    const names = this.#inputNames;
    const inputs = inOrder(given, names, 'inputs');
    for (const [place, input] of inputs.entries()) {
      const expected = this.#model.inputs[place]?.shape ?? [];
      const fits =
        input.rank === expected.length &&
        input.dtype !== 'string' &&
        expected.every((length, axis) => length === null || length === input.shape[axis]);
      if (fits && input.size > 0) continue;
      const shape = expected.map((length) => length ?? 'batch').join(',');
      const what = names.length === 1 ? 'inputs' : `an input ${names[place]}`;
      throw badBatch(
        `The model takes ${what} of [${shape}], not ${describeTensor(input)}.`,
        'Reshape the inputs.',
      );
    }
    const sizes = new Set(inputs.map(({ shape }) => shape[0]));
    if (sizes.size > 1) {
      throw badBatch(
        `The inputs are of batches of ${[...sizes].join(' and ')}.`,
        'Give as many examples of each input.',
      );
    }
    return inputs;
  }
}

const sumOf = (terms: readonly tf.Scalar[]): tf.Scalar =>
  terms.reduce((sum, term) => tf.add(sum, term));

function unknownLoss(what: string): TeletrainError {
  return new TeletrainError('unknown-loss', `There is no loss ${what}.`, {
    hint: `Choose one of: ${lossNames.join(', ')}.`,
  });
}

/** tfjs makes a name unique in the process; what was asked for is the same wherever it is loaded. */
function namedVariables(weights: LayersModel['weights']): Map<string, tf.Variable> {
  const names = distinct(weights.map(({ originalName }) => originalName));
  return new Map(
    weights.map((weight, place) => [names[place] ?? '', weight.read() as tf.Variable]),
  );
}
