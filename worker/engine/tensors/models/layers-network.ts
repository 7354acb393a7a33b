import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { TeletrainError } from '../../../../shared/errors.ts';
import { isLossName, type LossName, lossNames } from '../../../../shared/tensors/losses.ts';
import type { GradientResult, StepResult } from '../../models/model.ts';
import { describeTensor } from '../tensor-bytes.ts';
import { meanLoss } from './losses.ts';
import { badBatch, type GivenBatch, type Network, type Pictures } from './network.ts';
import type { OptimizerDefaults } from './optimizer-settings.ts';

/** A model of tfjs-layers with one input and one output, trained as its `fit` does. */
export class LayersNetwork implements Network {
  readonly weights: ReadonlyMap<string, tf.Variable>;
  readonly trainable: ReadonlyMap<string, tf.Variable>;
  readonly optimizer: OptimizerDefaults = { optimizer: 'adam' };
  readonly #model: LayersModel;

  constructor(model: LayersModel) {
    this.#model = model;
    const named = namedVariables(model.weights);
    const trained = new Set(model.trainableWeights.map((weight) => weight.read()));
    this.weights = named;
    this.trainable = new Map([...named].filter(([, variable]) => trained.has(variable)));
  }

  /** With dropout and the like; regularizers count in the loss, as in `fit`. */
  lossAndGradients(batch: GivenBatch): GradientResult {
    const { loss, targets } = this.#checked(batch);
    const names = new Map([...this.trainable].map(([name, variable]) => [variable.name, name]));
    return tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => {
        const outputs = this.#outputs(batch.inputs, true);
        return this.#model
          .calculateLosses()
          .reduce((sum, penalty) => tf.add(sum, penalty), meanLoss(loss, targets, outputs));
      }, [...this.trainable.values()]);
      const gradients = Object.fromEntries(
        Object.entries(grads).map(([name, gradient]) => [names.get(name) ?? name, gradient]),
      );
      return { loss: value, metrics: {}, gradients };
    });
  }

  /** Without penalties, as `evaluate` of tfjs-layers. */
  evaluate(batch: GivenBatch): StepResult {
    const { loss, targets } = this.#checked(batch);
    return tf.tidy(() => {
      const outputs = this.#outputs(batch.inputs, false);
      return { loss: meanLoss(loss, targets, outputs), metrics: {} };
    });
  }

  async sample(): Promise<Pictures> {
    throw new TeletrainError('cannot-sample', 'A model from a model.json draws no pictures.', {
      hint: 'Sample from a model of a digit recipe.',
    });
  }

  dispose(): void {
    this.#model.dispose();
  }

  #outputs(inputs: tf.Tensor, training: boolean): tf.Tensor {
    const outputs = this.#model.call(inputs, { training });
    // There is one output.
    return (Array.isArray(outputs) ? outputs[0] : outputs) as tf.Tensor;
  }

  #checked({ inputs, targets, loss }: GivenBatch): { loss: LossName; targets: tf.Tensor } {
    if (!isLossName(loss)) {
      throw new TeletrainError('unknown-loss', `There is no loss ${loss ?? 'for this model'}.`, {
        hint: `Choose one of: ${lossNames.join(', ')}.`,
      });
    }
    const expected = this.#model.inputs[0]?.shape ?? [];
    const fits =
      inputs.rank === expected.length &&
      inputs.dtype !== 'string' &&
      expected.every((length, axis) => length === null || length === inputs.shape[axis]);
    if (!fits || inputs.size === 0) {
      const shape = expected.map((length) => length ?? 'batch').join(',');
      throw badBatch(
        `The model takes inputs of [${shape}], not ${describeTensor(inputs)}.`,
        'Reshape the inputs.',
      );
    }
    if (targets === undefined) throw badBatch('There are no targets.', `${loss} needs targets.`);
    return { loss, targets };
  }
}

/** tfjs makes a name unique in the process; what was asked for is the same wherever it is loaded. */
function namedVariables(weights: LayersModel['weights']): Map<string, tf.Variable> {
  const variables = new Map<string, tf.Variable>();
  for (const weight of weights) {
    const { originalName } = weight;
    let name = originalName;
    for (let count = 1; variables.has(name); count++) name = `${originalName}_${count}`;
    variables.set(name, weight.read() as tf.Variable);
  }
  return variables;
}
