import * as tf from '@tensorflow/tfjs-core';
import { type SamplingOptions, sampleAncestrally } from './ancestral-sampling.ts';
import type { PictureModel } from './model.ts';
import { drawPixelByPixel } from './pixel-by-pixel.ts';

/**
 * `PictureModel.complete` by a whole evaluation of all pictures for every pixel: plainly right, and
 * slow. The models' own samplers are held to it and measured against it.
 *
 * @param given 0/1 pixels [count · rows · columns]; those from `firstRow` on are ignored
 */
export async function completeNaively(
  model: Pick<PictureModel, 'logits'>,
  given: Uint8Array,
  options: SamplingOptions,
): Promise<Uint8Array> {
  const { size, count } = options;
  const { rows, columns } = size;
  const logits = async (pictures: Uint8Array, row: number, column: number) => {
    const ofPixel = tf.tidy(() => {
      const all = model.logits(tf.tensor(Float32Array.from(pictures), [count, rows, columns, 1]));
      return tf.slice(all, [0, row, column, 0], [count, 1, 1, 1]);
    });
    try {
      // float32, as every logit is.
      return (await ofPixel.data()) as Float32Array;
    } finally {
      ofPixel.dispose();
    }
  };
  return sampleAncestrally(drawPixelByPixel({ logits }, size, count), given, options);
}
