import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel, models } from '@tensorflow/tfjs-layers';
import { z } from 'zod';

const layerSchema = z.looseObject({
  class_name: z.string(),
  config: z.looseObject({ name: z.string() }),
});
const topologySchema = z.looseObject({
  class_name: z.string(),
  config: z.looseObject({ layers: z.array(layerSchema) }),
});

export type SavedLayer = z.infer<typeof layerSchema>;

/** The layers' class names and configs, as the model's `model.json` has them. */
export function savedLayers(model: LayersModel): SavedLayer[] {
  return topologyOf(model).config.layers;
}

function topologyOf(model: LayersModel): z.infer<typeof topologySchema> {
  return topologySchema.parse(JSON.parse(model.toJSON(undefined, true) as string));
}

/**
 * Saves the model as `model.json` and weights are, and loads that.
 *
 * @param nameOf gives each weight another name in the file. Default: its own.
 */
export async function saveAndLoad(
  model: LayersModel,
  nameOf: (name: string) => string = (name) => name,
): Promise<LayersModel> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save({
    save: async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
    },
  });
  const weightSpecs = saved?.weightSpecs?.map((weight) => ({
    ...weight,
    name: nameOf(weight.name),
  }));
  return await loadLayersModel({
    load: async () => ({ ...saved, weightSpecs: weightSpecs ?? [] }),
  });
}

/** The model with its last layer made from a config that Keras wrote, and the same weights. */
export async function withLastLayer(model: LayersModel, written: object): Promise<LayersModel> {
  const topology = topologyOf(model);
  const last = topology.config.layers.at(-1) as SavedLayer;
  const { config, ...others } = layerSchema.parse(written);
  Object.assign(last, others, { config: { ...config, name: last.config.name } });
  const made = await models.modelFromJSON(topology as Parameters<typeof models.modelFromJSON>[0]);
  made.setWeights(model.getWeights());
  return made;
}
