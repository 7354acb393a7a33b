import { isDeepStrictEqual } from 'node:util';
import type * as tf from '@tensorflow/tfjs-core';
import { withOwnArguments } from './own-call-arguments.ts';
import { refuseOptions, unsupported } from './refused-options.ts';
import {
  type BidirectionalArguments,
  type CallArguments,
  type Given,
  type RNN,
  StockBidirectional,
} from './stock.ts';

/**
 * Keras' Bidirectional around one of these layers. tfjs makes both directions by the wrapped layer's
 * class name, so they are of the registered classes. As in Keras the layers' regularizers count in the
 * loss, and outputs of masked timesteps are zero where all are returned.
 */
export class BidirectionalLayer extends StockBidirectional {
  /** @throws TeletrainError `layer-option-unsupported` */
  constructor(given: BidirectionalArguments) {
    refuseOptions('Bidirectional', given);
    super(given);
    for (const layer of this.#directions()) {
      Object.assign(layer, { zeroOutputForMask: layer.returnSequences });
    }
  }

  /** @throws TeletrainError `layer-option-unsupported` for a backward layer that is not a mirror image. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    layerClass: tf.serialization.SerializableConstructor<T>,
    { backwardLayer, ...config }: tf.serialization.ConfigDict,
  ): T {
    const layer = config.layer as LayerConfig;
    if (backwardLayer && !isMirrorImage(layer, backwardLayer as LayerConfig)) {
      throw unsupported('Bidirectional', config.name, 'a backwardLayer of other options');
    }
    // Keras 3 saves the name of its forward layer, which begins as tfjs lets its own begin.
    const name = String(layer.config.name).replace(/^forward_/, '');
    const named = { ...layer, config: { ...layer.config, name } };
    return StockBidirectional.fromConfig(layerClass, { ...config, layer: named });
  }

  override apply(inputs: Given, kwargs?: CallArguments): Given {
    return withOwnArguments(inputs, kwargs, (own) => super.apply(inputs, own));
  }

  override calculateLosses(): tf.Scalar[] {
    return this.#directions().flatMap((layer) => layer.calculateLosses());
  }

  #directions(): RNN[] {
    // tfjs declares both private.
    const { forwardLayer, backwardLayer } = this as unknown as Record<string, RNN>;
    return [forwardLayer as RNN, backwardLayer as RNN];
  }
}

interface LayerConfig extends tf.serialization.ConfigDict {
  readonly config: tf.serialization.ConfigDict;
}

/** Whether the layers differ in their direction alone. */
function isMirrorImage(forward: LayerConfig, backward: LayerConfig): boolean {
  const common = ({ className, config: { name, goBackwards, ...config } }: LayerConfig) => ({
    className,
    config,
  });
  return (
    forward.config.goBackwards !== backward.config.goBackwards &&
    isDeepStrictEqual(common(forward), common(backward))
  );
}
