import { z } from 'zod';

const outputLayers = z.array(z.unknown()).min(1);
const config = z.union([
  z.object({ output_layers: outputLayers }).transform((given) => given.output_layers.length),
  z.object({ outputLayers }).transform((given) => given.outputLayers.length),
]);
const topology = z.object({ config });
const modelJson = z.union([
  topology,
  z.object({ modelTopology: topology }).transform((given) => given.modelTopology),
  z
    .object({ modelTopology: z.object({ model_config: topology }) })
    .transform((given) => given.modelTopology.model_config),
  z.object({ model_config: topology }).transform((given) => given.model_config),
]);

/**
 * How many outputs a model has by its model.json, parsed or as text: 1 where it names none, as a stack of
 * layers, and where it is none; what a file may hold is the worker's to say.
 */
export function outputsOf(given: object | string): number {
  return modelJson.safeParse(typeof given === 'string' ? parsed(given) : given).data?.config ?? 1;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
