import * as tf from '@tensorflow/tfjs-core';
import type { ProbedLayer } from './probed-layer.ts';
import type { ProbeSize } from './sizes.ts';
import { type LayerValues, valuesOf } from './values.ts';

/**
 * The references of all layers at all sizes, computed by tfjs' own JavaScript and not by the engine
 * that is probed: neither its rounding nor a fault of it can be in both.
 *
 * @returns by layer and size, in their order
 */
export async function referenceValues(
  layers: readonly ProbedLayer[],
  sizes: readonly ProbeSize[],
): Promise<LayerValues[][]> {
  const probed = tf.getBackend();
  await tf.setBackend('cpu');
  try {
    keepQuiet(tf.backend());
    return layers.map((layer) => sizes.map((size) => valuesOf(layer, layer.reference, size)));
  } finally {
    await tf.setBackend(probed);
  }
}

/** At its first tensor in Node the backend recommends tfjs-node, which is the one being probed. */
function keepQuiet(backend: object): void {
  const saysHello: { firstUse?: boolean } = backend;
  saysHello.firstUse = false;
}
