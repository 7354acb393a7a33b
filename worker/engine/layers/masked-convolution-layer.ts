import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import type { LayerArgs } from '@tensorflow/tfjs-layers/dist/engine/topology.js';
import { TeletrainError } from '../../../shared/errors.ts';
import { type Mask, maskedConvolution } from '../ops/masked-convolution.ts';
import { mapsOf, onePicture, type PictureShape, picturesOfMaps } from './picture-layout.ts';
import { refuseOptions } from './refused-options.ts';

export interface MaskedConvolutionArguments extends LayerArgs {
  /** Output features. */
  filters: number;
  /** Width and height of the kernel, odd. */
  kernelSize: number;
  /** `A` hides a pixel from itself, as a network's first layer must; `B` lets it see itself. */
  mask: Mask;
}

/**
 * PixelRNN's masked convolution (van den Oord et al., 2016, section 3.4), zero padded, by
 * `maskedConvolution`: [batch, rows, columns, features] to [batch, rows, columns, filters]. The mask is
 * over pixels: what is hidden of one is hidden of all its features.
 *
 * Weights: kernel [kernelSize, kernelSize, features, filters], of which hidden taps are never read nor
 * trained, and bias [filters].
 */
export class MaskedConvolutionLayer extends layers.Layer {
  static readonly className = 'MaskedConv2D';
  readonly filters: number;
  readonly kernelSize: number;
  readonly mask: Mask;
  #kernel: LayerVariable | undefined;
  #bias: LayerVariable | undefined;

  /** @throws TeletrainError `layer-option-unsupported`, also for a kernel that has no centre. */
  constructor(given: MaskedConvolutionArguments) {
    refuseOptions(MaskedConvolutionLayer.className, given);
    super(given);
    const { filters, kernelSize, mask } = given;
    if (kernelSize % 2 !== 1) {
      throw new TeletrainError(
        'layer-option-unsupported',
        `The kernelSize ${kernelSize} of the layer ${this.name} is not odd, so no tap is its centre.`,
        { hint: 'Give an odd kernelSize.' },
      );
    }
    this.filters = filters;
    this.kernelSize = kernelSize;
    // tfjs writes strings of a config in lower case.
    this.mask = mask.toUpperCase() as Mask;
    this.inputSpec = [{ ndim: 4 }];
  }

  override build([, , , features]: PictureShape): void {
    const shape = [this.kernelSize, this.kernelSize, features, this.filters];
    this.#kernel = this.addWeight('kernel', shape, 'float32', initializers.glorotUniform({}));
    this.#bias = this.addWeight('bias', [this.filters], 'float32', initializers.zeros());
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const { maps, size } = mapsOf(onePicture(inputs));
      // tfjs builds a layer before it calls it.
      const [kernel, bias] = [this.#kernel as LayerVariable, this.#bias as LayerVariable];
      const convolved = maskedConvolution(
        maps,
        kernel.read() as tf.Tensor4D,
        bias.read() as tf.Tensor1D,
        size,
        this.mask,
      );
      return picturesOfMaps(convolved, size);
    });
  }

  override computeOutputShape([batch, rows, columns]: PictureShape): PictureShape {
    return [batch, rows, columns, this.filters];
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { filters, kernelSize, mask } = this;
    return { ...super.getConfig(), filters, kernelSize, mask };
  }
}
