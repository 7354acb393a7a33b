import type { KerasTopology } from '../models/model.ts';
import type { StoredTensor } from './safetensors.ts';
import type { CheckpointFile } from './save.ts';

/**
 * `model.json` and `weights.bin` as `tf.loadLayersModel` and Keras' tfjs importer read them: a
 * Sequential model in Keras' own config names, weights as `<layer>/<weight>`.
 *
 * tfjs differs from Keras in one default that changes results: its LSTM takes the hard sigmoid
 * unless `recurrent_activation` is given, so it must be in the topology.
 * @throws Error when the topology names a weight that is not stored, or an LSTM lacks its activation.
 */
export function tfjsLayersModel(
  keras: KerasTopology,
  weights: ReadonlyMap<string, StoredTensor>,
  version: string,
): CheckpointFile[] {
  const stored = keras.layers.flatMap((layer) => {
    if (layer.className === 'LSTM' && layer.config.recurrent_activation === undefined) {
      throw new Error(`${layer.config.name} must name its recurrent_activation.`);
    }
    return layer.weights.map((name) => {
      const tensor = weights.get(name);
      if (tensor === undefined) throw new Error(`The topology names a missing weight, ${name}.`);
      return { name, tensor };
    });
  });
  const model = {
    format: 'layers-model',
    generatedBy: `teletrain ${version}`,
    convertedBy: null,
    modelTopology: {
      keras_version: '2.15.0',
      backend: 'tensorflow',
      model_config: {
        class_name: 'Sequential',
        config: {
          name: 'sequential',
          layers: keras.layers.map(({ className, config }) => ({ class_name: className, config })),
        },
      },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: stored.map(({ name, tensor: { shape, values } }) => ({
          name,
          shape,
          dtype: values instanceof Float32Array ? 'float32' : 'int32',
        })),
      },
    ],
  };
  const bytes = stored.map(
    ({ tensor: { values } }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
  return [
    { name: 'model.json', bytes: Buffer.from(`${JSON.stringify(model, undefined, 2)}\n`) },
    { name: 'weights.bin', bytes: Buffer.concat(bytes) },
  ];
}
