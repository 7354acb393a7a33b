import { type LayersModel, layers, loadLayersModel } from '@tensorflow/tfjs-layers';
import { TeletrainError } from '../../../../shared/errors.ts';
import { bytesPerValue, sizeOf } from '../../../../shared/tensors/data.ts';
import { registerFusedLayers } from '../../layers/register.ts';
import { LayersNetwork } from './layers-network.ts';
import { badModelJson, checkWeightBytes, parseModelJson, unsupportedModel } from './model-json.ts';
import type { Network } from './network.ts';
import type { Reserve } from './session-model.ts';

// Recurrent layers of any model are computed by our operations.
registerFusedLayers();

export interface LayersFiles {
  /** A model.json of tfjs, or its topology alone. */
  readonly modelJson: Uint8Array;
  /** Its weights.bin; without, the initializers give the weights. */
  readonly weights: Uint8Array | undefined;
}

/**
 * Makes a network of a client's model.json.
 * @param reserve asked before each weight is made for the bytes of all so far
 * @throws TeletrainError what `parseModelJson` throws; `model-unsupported`; `bad-model-json` with the
 *   words of tfjs; `tensor-memory`.
 */
export async function loadLayersNetwork(files: LayersFiles, reserve: Reserve): Promise<Network> {
  const { topology, weights: entries } = parseModelJson(files.modelJson);
  const { weights } = files;
  if (weights && !entries) throw badModelJson('weights were given, and it describes none');
  if (weights && entries) checkWeightBytes(entries, weights.byteLength);
  const model = await withWatchedWeights(reserve, () =>
    loadLayersModel({
      load: async () => ({
        modelTopology: topology,
        ...(weights &&
          entries && {
            weightSpecs: entries.map((entry) => ({ ...entry })),
            weightData: new Uint8Array(weights).buffer,
          }),
      }),
    }),
  );
  // A stack whose first layer has no input shape is built when it is called.
  if (!model.inputs?.length || !model.outputs?.length) {
    model.dispose();
    throw unsupportedModel(
      'its inputs and outputs are not known',
      'Give the first layer an input shape.',
    );
  }
  return new LayersNetwork(model);
}

/** tfjs' base class declares it as protected; every weight of every layer is made by it. */
interface WeightMaker {
  addWeight(name: string, shape: number[], dtype: 'float32' | undefined, ...rest: unknown[]): Made;
}
interface Made {
  dispose(): void;
}

/** Asks before each weight that is made meanwhile; where the making fails, disposes those that were. */
async function withWatchedWeights(
  reserve: Reserve,
  make: () => Promise<LayersModel>,
): Promise<LayersModel> {
  const prototype = layers.Layer.prototype as unknown as WeightMaker;
  const { addWeight } = prototype;
  const made: Made[] = [];
  let bytes = 0;
  prototype.addWeight = function (this: WeightMaker, name, shape, dtype, ...rest) {
    bytes += sizeOf(shape) * bytesPerValue[dtype ?? 'float32'];
    reserve(bytes);
    const weight = addWeight.call(this, name, shape, dtype, ...rest);
    made.push(weight);
    return weight;
  };
  try {
    return await make();
  } catch (cause) {
    for (const weight of made) weight.dispose();
    if (cause instanceof TeletrainError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw badModelJson(message.replace(/\.$/, ''), cause);
  } finally {
    prototype.addWeight = addWeight;
  }
}
