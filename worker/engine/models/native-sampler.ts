import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize } from '../ops/diagonal-order.ts';
import type { NativeDispatch } from '../ops/native-dispatch.ts';
import type { RowSampler } from './ancestral-sampling.ts';

/** A network as the sampling kernels take it: a mask-A convolution, diagonal layers, dense layers. */
export interface SampledNetwork {
  /**
   * The convolution's kernel and bias; of each diagonal layer the left direction's kernel, recurrent
   * kernel, bias, initial output and initial cell, the right one's, and the upsampling's kernel and
   * bias; the dense layers' kernels and biases. The models keep their variables in this order.
   */
  readonly weights: readonly tf.Tensor[];
  readonly diagonalLayers: number;
  /** The first dense layer that has a ReLU before it; all that follow have one, too. */
  readonly reluFrom: number;
}

/**
 * Draws a row of all pictures by one operation of our own kernels, with each pixel's work done once.
 * The pictures are, to the bit, those of the naive sampler on the same engine, and those of any
 * division of the pictures into calls.
 */
export class NativeSampler implements RowSampler {
  readonly #native: NativeDispatch;
  readonly #network: SampledNetwork;
  readonly #size: PictureSize;
  readonly #count: number;
  /** Rows above a pixel that the convolution sees. */
  readonly #reach: number;
  /** The diagonal layers' outputs in the row above, once there is one. */
  #above: tf.Tensor | undefined;

  /** @param count pictures in each call */
  constructor(native: NativeDispatch, network: SampledNetwork, size: PictureSize, count: number) {
    this.#native = native;
    this.#network = network;
    this.#size = size;
    this.#count = count;
    this.#reach = ((network.weights[0]?.shape[0] ?? 1) - 1) / 2;
  }

  async drawRow(pictures: Uint8Array, row: number, thresholds: Float32Array): Promise<void> {
    const { columns, rows } = this.#size;
    if (row > 0) this.#above ??= this.#read(pictures, row);
    const native = this.#native;
    const { diagonalLayers, reluFrom, weights } = this.#network;
    const pixels = this.#pixels(pictures, Math.max(0, row - this.#reach), row + 1);
    const wanted = tf.tensor2d(thresholds, [columns, this.#count]);
    const above = this.#above ?? tf.tensor1d([]);
    try {
      const attributes = [
        native.intAttribute('columns', columns),
        native.intAttribute('layers', diagonalLayers),
        native.intAttribute('relu_from', reluFrom),
        native.boolAttribute('keep', row + 1 < rows),
        native.intAttribute('N', weights.length),
      ];
      const inputs = [pixels, wanted, above, ...weights];
      const results = native.runOnTensors('TeletrainDrawRow', attributes, inputs, 2);
      // Two outputs, as asked for.
      const [drawn, states] = results as [tf.Tensor, tf.Tensor];
      this.#above = diagonalLayers > 0 ? states : undefined;
      if (diagonalLayers === 0) states.dispose();
      this.#write(drawn, pictures, row);
    } finally {
      tf.dispose([pixels, wanted, above]);
    }
  }

  dispose(): void {
    this.#above?.dispose();
    this.#above = undefined;
  }

  /** What the diagonal layers keep of the rows before `end`. */
  #read(pictures: Uint8Array, end: number): tf.Tensor | undefined {
    const native = this.#native;
    const { diagonalLayers, weights } = this.#network;
    if (diagonalLayers === 0) return undefined;
    const pixels = this.#pixels(pictures, 0, end);
    try {
      const attributes = [
        native.intAttribute('columns', this.#size.columns),
        native.intAttribute('layers', diagonalLayers),
        native.intAttribute('N', weights.length),
      ];
      return native.runOnTensors('TeletrainReadRows', attributes, [pixels, ...weights], 1)[0];
    } finally {
      pixels.dispose();
    }
  }

  /** Rows `begin` to `end` of all pictures, [rows · columns, count]. */
  #pixels(pictures: Uint8Array, begin: number, end: number): tf.Tensor2D {
    const { rows, columns } = this.#size;
    const count = this.#count;
    const pixels = new Float32Array((end - begin) * columns * count);
    for (let picture = 0; picture < count; picture++) {
      const from = (picture * rows + begin) * columns;
      for (let pixel = 0; pixel < (end - begin) * columns; pixel++) {
        pixels[pixel * count + picture] = pictures[from + pixel] ?? 0;
      }
    }
    return tf.tensor2d(pixels, [(end - begin) * columns, count]);
  }

  /** @param drawn [columns, count], disposed */
  #write(drawn: tf.Tensor, pictures: Uint8Array, row: number): void {
    const { rows, columns } = this.#size;
    const values = drawn.dataSync();
    drawn.dispose();
    for (let picture = 0; picture < this.#count; picture++) {
      for (let column = 0; column < columns; column++) {
        const value = values[column * this.#count + picture] ?? 0;
        pictures[(picture * rows + row) * columns + column] = value;
      }
    }
  }
}
