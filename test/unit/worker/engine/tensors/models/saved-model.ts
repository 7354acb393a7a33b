import * as tf from '@tensorflow/tfjs';
import type { SessionDriver } from '../session-driver.ts';

export interface Saved {
  readonly json: object;
  readonly weights: Uint8Array;
}

/** What `model.save` writes. */
export async function save(model: tf.LayersModel): Promise<Saved> {
  const saved = Promise.withResolvers<Saved>();
  const handler = tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
    saved.resolve({
      json: { modelTopology, weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }] },
      weights: new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)),
    });
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(handler);
  return await saved.promise;
}

/** Makes a session's model of what was saved. */
export async function create(
  session: SessionDriver,
  model: number,
  { json, weights }: Saved,
): Promise<void> {
  const files = [
    await session.uploadFile(Buffer.from(JSON.stringify(json))),
    await session.uploadFile(weights),
  ] as const;
  await session.values((id) => ['createLayersModel', id, model, ...files]);
  await session.dispose([...files]);
}
