import * as tf from '@tensorflow/tfjs-core';
import { diagonalLstmCell, type PixelState } from '../ops/diagonal-lstm-cell.ts';
import type { PictureSize } from '../ops/diagonal-order.ts';
import { convolveLive } from '../ops/masked-convolution.ts';
import { pixelsOf } from '../ops/pictures.ts';
import type { DiagonalLstmWeights } from '../ops/recurrent-weights.ts';
import { livePixels } from './live-pixels.ts';
import type { PixelByPixel } from './pixel-by-pixel.ts';
import { combine, outputLogits, pixelRnnLayers } from './pixel-rnn-network.ts';
import type { PixelRnnLayer, PixelRnnWeights } from './pixel-rnn-weights.ts';

/** What the pixels to come need of a layer. It owns its tensors, each [count, …]. */
interface LayerState {
  /** The left direction's outputs above the pixels to come, by column. */
  above: tf.Tensor2D[];
  /** The left direction's state at the pixel before; absent at the start of a row. */
  before: PixelState | undefined;
  /** The right direction's outputs in the row above, by column; absent in the first row. */
  right: tf.Tensor2D[] | undefined;
  /** The layer's inputs in the row that is being drawn, by column. */
  inputs: tf.Tensor2D[];
}

/**
 * The network's logits pixel by pixel, each pixel's work done once. The left direction at a pixel
 * needs the states of the pixels before and above it. The right one, moved down by a row, is only
 * seen from the row below, so it runs over a row once that row's last pixel is drawn. A completion
 * thus costs about one evaluation of the pictures and not one for each pixel.
 *
 * For engines without our kernels, which have `NativeSampler`. Its logits are those of a whole
 * evaluation up to rounding, as products of other shapes may be summed in another order: a drawing
 * differs from the naive sampler's only where a logit is that near to its threshold.
 */
export class PixelRnnSampler implements PixelByPixel {
  readonly #weights: PixelRnnWeights;
  readonly #size: PictureSize;
  readonly #count: number;
  readonly #states: LayerState[];

  /** @param pictures 0/1 pixels [count · rows · columns], of which rows before `firstRow` are read */
  constructor(
    weights: PixelRnnWeights,
    size: PictureSize,
    pictures: Uint8Array,
    count: number,
    firstRow: number,
  ) {
    this.#weights = weights;
    this.#size = size;
    this.#count = count;
    this.#states = firstRow === 0 ? this.#emptyStates() : this.#statesBelow(pictures, firstRow);
  }

  async logits(pictures: Uint8Array, row: number, column: number): Promise<Float32Array> {
    const { input, layers } = this.#weights;
    const logits = tf.tidy(() => {
      const kernelSize = input.kernel.shape[0];
      const seen = livePixels(pictures, this.#count, this.#size, { row, column }, kernelSize);
      const live = tf.tensor2d(seen, [seen.length / this.#count, this.#count]);
      let maps = convolveLive(live, input.kernel, input.bias);
      for (const [index, layer] of layers.entries()) {
        // As many states as layers.
        maps = this.#advance(layer, this.#states[index] as LayerState, maps, column);
      }
      return outputLogits(this.#weights, asOneCell(maps));
    });
    try {
      // float32, as every logit is.
      return (await logits.data()) as Float32Array;
    } finally {
      logits.dispose();
    }
  }

  endRow(row: number): void {
    for (const [index, layer] of this.#weights.layers.entries()) {
      // As many states as layers.
      const state = this.#states[index] as LayerState;
      const above = state.right;
      if (row + 1 < this.#size.rows) {
        state.right = tf.tidy(() => this.#scanRight(layer.right, state.inputs, above));
      }
      tf.dispose([above ?? [], state.inputs]);
      state.before?.cell.dispose();
      state.before = undefined;
      state.inputs = [];
    }
  }

  dispose(): void {
    for (const { above, before, right, inputs } of this.#states) {
      tf.dispose([above, right ?? [], inputs]);
      before?.cell.dispose();
    }
    this.#states.length = 0;
  }

  /** One layer at one pixel: [count, 2 · units] to the same shape. Keeps what is needed later. */
  #advance(layer: PixelRnnLayer, state: LayerState, input: tf.Tensor2D, column: number) {
    // One for every column, from the start on.
    const above = state.above[column] as tf.Tensor2D;
    const before = state.before ?? this.#outside(layer.left);
    const here = diagonalLstmCell(layer.left, input, above, before);
    tf.keep(input);
    tf.keep(here.output);
    tf.keep(here.cell);
    state.inputs.push(input);
    // The output of the pixel before goes on living as one above the next row's pixels.
    state.before?.cell.dispose();
    state.before = here;
    above.dispose();
    state.above[column] = here.output;
    const right = state.right?.[column] ?? tf.zerosLike(here.output);
    const output = combine(layer, asOneCell(input), asOneCell(here.output), asOneCell(right));
    return tf.reshape<tf.Rank.R2>(output, input.shape);
  }

  #scanRight(
    weights: DiagonalLstmWeights,
    inputs: readonly tf.Tensor2D[],
    above: readonly tf.Tensor2D[] | undefined,
  ): tf.Tensor2D[] {
    const outside = this.#outside(weights);
    let side = outside;
    const outputs: tf.Tensor2D[] = [];
    for (const [column, input] of [...inputs.entries()].reverse()) {
      side = diagonalLstmCell(weights, input, above?.[column] ?? outside.output, side);
      outputs.push(side.output);
    }
    return outputs.reverse();
  }

  #emptyStates(): LayerState[] {
    return this.#weights.layers.map(({ left }) => ({
      above: Array.from({ length: this.#size.columns }, () =>
        tf.tidy(() => this.#outside(left).output),
      ),
      before: undefined,
      right: undefined,
      inputs: [],
    }));
  }

  /** Evaluates the rows above at once. */
  #statesBelow(pictures: Uint8Array, firstRow: number): LayerState[] {
    const { rows, columns } = this.#size;
    const above = { rows: firstRow, columns };
    return tf.tidy(() => {
      const whole = tf.tensor(Float32Array.from(pictures), [this.#count, rows, columns, 1]);
      const given = tf.slice(whole, 0, [this.#count, firstRow, columns, 1]);
      const layers = pixelRnnLayers(this.#weights, pixelsOf(given, above), above);
      // What is unstacked has one dimension less than the maps' three.
      const lastRow = (maps: tf.Tensor3D) =>
        tf
          .unstack(tf.slice(maps, [(firstRow - 1) * columns, 0, 0], [columns, -1, -1]))
          .map((map) => tf.keep(map) as tf.Tensor2D);
      return layers.map(({ left, right }) => ({
        above: lastRow(left),
        before: undefined,
        right: lastRow(right),
        inputs: [],
      }));
    });
  }

  #outside({ initialOutput, initialCell }: DiagonalLstmWeights): PixelState {
    const repeat = (initial: tf.Tensor1D): tf.Tensor2D =>
      tf.tile(tf.reshape<tf.Rank.R2>(initial, [1, initial.size]), [this.#count, 1]);
    return { output: repeat(initialOutput), cell: repeat(initialCell) };
  }
}

/** [count, features] as the maps of one cell. */
function asOneCell(map: tf.Tensor2D): tf.Tensor3D {
  return tf.reshape(map, [1, ...map.shape]);
}
