import type { KerasTopology } from '../models/model.ts';
import { loadKerasScript } from './load-keras-script.ts';
import { encodeSafetensors, type StoredTensor } from './safetensors.ts';
import type { CheckpointFile } from './save.ts';
import type { CheckpointState } from './state.ts';
import { tfjsLayersModel } from './tfjs-layers-model.ts';

export interface CheckpointContents {
  readonly state: CheckpointState;
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** The optimizer's. */
  readonly slots: ReadonlyMap<string, StoredTensor>;
  /** Where the network is a stack of Keras layers. */
  readonly keras?: KerasTopology | undefined;
}

/** All files of a checkpoint but its manifest. */
export function checkpointFiles(contents: CheckpointContents): CheckpointFile[] {
  const { state, weights, slots, keras } = contents;
  const { run, recipe, progress } = state;
  return [
    {
      name: 'model.safetensors',
      bytes: encodeSafetensors(weights, {
        format: 'teletrain',
        run,
        recipe,
        step: `${progress.step}`,
      }),
    },
    { name: 'optimizer.safetensors', bytes: encodeSafetensors(slots) },
    { name: 'state.json', bytes: Buffer.from(`${JSON.stringify(state, undefined, 2)}\n`) },
    ...(keras ? tfjsLayersModel(keras, weights, state.version) : []),
    { name: 'load_keras.py', bytes: Buffer.from(loadKerasScript) },
  ];
}
