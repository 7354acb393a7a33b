import * as tf from '@tensorflow/tfjs-core';
import { refuseOptions } from './refused-options.ts';
import { type CallArguments, type GruCellArguments, type Shape, StockGruCell } from './stock.ts';

/**
 * Keras' GRUCell. Without `resetAfter` it is tfjs'; with it the bias is [2, 3 · units], the recurrent
 * product's below the inputs', and the reset gate comes after that product.
 */
export class GruCell extends StockGruCell {
  readonly resetAfter: boolean;

  /** @throws TeletrainError `layer-option-unsupported` */
  constructor(given: GruCellArguments) {
    refuseOptions(StockGruCell.className, given);
    super({ ...given, resetAfter: false });
    this.resetAfter = given.resetAfter ?? false;
  }

  get biasShape(): readonly number[] {
    return this.resetAfter ? [2, 3 * this.units] : [3 * this.units];
  }

  override build(inputShape: Shape | Shape[]): void {
    if (!this.resetAfter) {
      super.build(inputShape);
      return;
    }
    // A cell has one input.
    const features = (inputShape as Shape).at(-1) ?? 0;
    this.kernel = this.addWeight(
      'kernel',
      [features, 3 * this.units],
      'float32',
      this.kernelInitializer,
      this.kernelRegularizer,
      true,
      this.kernelConstraint,
    );
    this.recurrentKernel = this.addWeight(
      'recurrent_kernel',
      [this.units, 3 * this.units],
      'float32',
      this.recurrentInitializer,
      this.recurrentRegularizer,
      true,
      this.recurrentConstraint,
    );
    if (this.useBias) {
      this.bias = this.addWeight(
        'bias',
        [...this.biasShape],
        'float32',
        this.biasInitializer,
        this.biasRegularizer,
        true,
        this.biasConstraint,
      );
    }
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArguments): tf.Tensor | tf.Tensor[] {
    if (!this.resetAfter) return super.call(inputs, kwargs);
    return tf.tidy(() => {
      const [x, state] = inputs as [tf.Tensor2D, tf.Tensor2D];
      this.#drawMasks(x, state, kwargs.training === true);
      const [inputMask] = (this.dropoutMask ?? []) as tf.Tensor[];
      const stateMasks = (this.recurrentDropoutMask ?? []) as tf.Tensor[];
      const [inputBias, stateBias] = this.useBias ? tf.unstack(this.bias.read()) : [];
      const shown = inputMask ? tf.mul<tf.Tensor2D>(x, inputMask) : x;
      const fromInputs = tf.split(affine(shown, this.kernel.read(), inputBias), 3, 1);
      const fromState = tf.split(this.#recurrentProduct(state, stateMasks, stateBias), 3, 1);
      const sum = (gate: number) =>
        tf.add(fromInputs[gate] as tf.Tensor, fromState[gate] as tf.Tensor);
      const z = this.recurrentActivation.apply(sum(0));
      const r = this.recurrentActivation.apply(sum(1));
      const reset = tf.mul(r, fromState[2] as tf.Tensor);
      const candidate = this.activation.apply(tf.add(fromInputs[2] as tf.Tensor, reset));
      const h = tf.add(tf.mul(z, state), tf.mul(tf.sub(1, z), candidate));
      return [h, h];
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), resetAfter: this.resetAfter };
  }

  /** [batch, 3 · units]; Keras drops other parts of the state for each gate. */
  #recurrentProduct(state: tf.Tensor2D, masks: tf.Tensor[], bias: tf.Tensor | undefined) {
    const kernel = this.recurrentKernel.read();
    if (masks.length === 0) return affine(state, kernel, bias);
    const products = tf
      .split(kernel, 3, 1)
      .map((part, gate) =>
        tf.matMul(tf.mul<tf.Tensor2D>(state, masks[gate] as tf.Tensor), part as tf.Tensor2D),
      );
    const product = tf.concat(products, 1);
    return bias ? tf.add<tf.Tensor2D>(product, bias) : product;
  }

  /** Draws what a whole sequence drops, at its first timestep; the layer clears it before the next. */
  #drawMasks(x: tf.Tensor, state: tf.Tensor, training: boolean): void {
    const draw = (like: tf.Tensor, rate: number, count: number) =>
      Array.from({ length: count }, () => tf.keep(tf.dropout(tf.onesLike(like), rate)));
    const isDrawn = (rate: number) => training && rate > 0 && rate < 1;
    if (isDrawn(this.dropout)) this.dropoutMask ??= draw(x, this.dropout, 1);
    if (isDrawn(this.recurrentDropout)) {
      this.recurrentDropoutMask ??= draw(state, this.recurrentDropout, 3);
    }
  }
}

function affine(x: tf.Tensor2D, kernel: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor2D {
  const product: tf.Tensor2D = tf.matMul(x, kernel);
  return bias ? tf.add<tf.Tensor2D>(product, bias) : product;
}
