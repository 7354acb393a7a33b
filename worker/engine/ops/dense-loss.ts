import * as tf from '@tensorflow/tfjs-core';
import { chooseKernels, gradientWanted, type Implementation } from './choose.ts';
import { differentiable } from './custom-gradient.ts';
import { dense } from './dense.ts';
import type { NativeDispatch } from './native-dispatch.ts';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.ts';

export interface DenseLayer {
  /** [features, outputs] */
  readonly kernel: tf.Tensor2D;
  readonly bias: tf.Tensor1D;
}

export interface DenseLossOptions {
  /** The first layer that takes max(x, 0) of its inputs, as all after it do. Default: 0. */
  readonly reluFrom?: number;
  /** Default: `best`. */
  readonly implementation?: Implementation;
}

/** Maps through `dense` layers one after the other: [cells, batch, the last one's outputs]. */
export function denseStack(
  maps: tf.Tensor3D,
  layers: readonly DenseLayer[],
  { reluFrom = 0, implementation = 'best' }: DenseLossOptions = {},
): tf.Tensor3D {
  return layers.reduce(
    (input, { kernel, bias }, index) =>
      dense(input, kernel, bias, { relu: index >= reluFrom, implementation }),
    maps,
  );
}

/**
 * The exact negative log-likelihood in nats, summed over a picture's pixels, mean over the batch, of
 * pixels whose logits are what dense layers make of maps. On the native engine's CPU one operation
 * computes it with all gradients, and no map between the layers is stored.
 *
 * @param maps [cells, batch, features]
 * @param pixels 0 or 1, [cells, batch]
 * @param layers the last one has one output, the logit
 */
export function denseLoss(
  maps: tf.Tensor3D,
  pixels: tf.Tensor2D,
  layers: readonly DenseLayer[],
  options: DenseLossOptions = {},
): tf.Scalar {
  const kernels = chooseKernels(options.implementation ?? 'best');
  if (kernels) return fusedDenseLoss(kernels, maps, pixels, layers, options);
  const logits = tf.reshape(denseStack(maps, layers, options), pixels.shape);
  return tf.div(tf.sum(sigmoidCrossEntropy(logits, pixels)), pixels.shape[1]);
}

function fusedDenseLoss(
  native: NativeDispatch,
  maps: tf.Tensor3D,
  pixels: tf.Tensor2D,
  layers: readonly DenseLayer[],
  { reluFrom = 0 }: DenseLossOptions,
): tf.Scalar {
  const weights = layers.flatMap(({ kernel, bias }) => [kernel, bias]);
  const inputs = [maps, ...weights];
  const keep = gradientWanted();
  return differentiable<tf.Scalar, tf.Tensor[]>(inputs, {
    forward() {
      const attributes = [
        native.intAttribute('relu_from', reluFrom),
        native.boolAttribute('gradients', keep),
        native.intAttribute('N', weights.length),
      ];
      const given = [maps, pixels, ...weights];
      const outputs = 1 + inputs.length;
      const [loss, ...gradients] = native.runOnTensors(
        'TeletrainDenseLoss',
        attributes,
        given,
        outputs,
      ) as [tf.Scalar, ...tf.Tensor[]];
      if (keep) return { value: loss, saved: gradients };
      tf.dispose(gradients);
      return { value: loss, saved: [] };
    },
    gradient(dy, gradients) {
      // A training step's loss is what is differentiated; its maps need no pass to be multiplied by 1.
      const isWhole = dy.dataSync()[0] === 1;
      return gradients.map((gradient) => (isWhole ? tf.clone(gradient) : tf.mul(gradient, dy)));
    },
  });
}
