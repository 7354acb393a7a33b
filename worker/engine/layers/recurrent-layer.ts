import * as tf from '@tensorflow/tfjs-core';
import { withOwnArguments } from './own-call-arguments.ts';
import { refuseOptions } from './refused-options.ts';
import type { CallArguments, Given, LayerClass, RNN, Shape } from './stock.ts';
import { callRecurrentLayer, type SequenceOperation } from './whole-sequence.ts';

interface KerasOptions {
  readonly name?: string;
  readonly implementation?: number;
  readonly zeroOutputForMask?: boolean;
}

/**
 * tfjs' class of a recurrent layer, with its options, weights and config, computed by an operation over
 * the whole sequence. In two things it does as Keras where tfjs does nothing: the regularizers count in
 * the loss, and `zeroOutputForMask` makes outputs of masked timesteps zero.
 *
 * @param operationOf the operation with the weights that a cell has now
 * @returns a class whose constructor throws TeletrainError `layer-option-unsupported`
 */
export function recurrentLayerClass<Arguments extends KerasOptions>(
  stock: LayerClass<Arguments, RNN>,
  operationOf: (cell: RNN['cell']) => SequenceOperation,
) {
  return class extends stock {
    readonly zeroOutputForMask: boolean;

    constructor(given: Arguments) {
      refuseOptions(stock.className, given);
      // tfjs warns of `implementation` 0, which it computes as 1 like everything else.
      super(given.implementation === 0 ? { ...given, implementation: 1 } : { ...given });
      this.zeroOutputForMask = given.zeroOutputForMask ?? false;
    }

    override build(inputShape: Shape | Shape[]): void {
      // tfjs' initializer of `unitForgetBias` leaves its parts behind.
      tf.tidy(() => super.build(inputShape));
    }

    override apply(inputs: Given, kwargs?: CallArguments): Given {
      return withOwnArguments(inputs, kwargs, (own) => super.apply(inputs, own));
    }

    override call(
      inputs: tf.Tensor | tf.Tensor[],
      kwargs: CallArguments = {},
    ): tf.Tensor | tf.Tensor[] {
      return callRecurrentLayer(this, {
        inputs,
        kwargs,
        operation: () => operationOf(this.cell),
        stock: () => super.call(inputs, kwargs),
      });
    }

    override calculateLosses(): tf.Scalar[] {
      return [...super.calculateLosses(), ...this.cell.calculateLosses()];
    }

    override getConfig(): tf.serialization.ConfigDict {
      const { zeroOutputForMask } = this;
      return { ...super.getConfig(), ...(zeroOutputForMask && { zeroOutputForMask }) };
    }
  };
}
