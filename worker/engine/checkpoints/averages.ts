import type { StoredTensor } from './safetensors.ts';

/** A network's weights, and an optimizer's slots as `<optimizer>/<variable>/<slot>`. */
export interface StoredTraining {
  readonly weights: ReadonlyMap<string, StoredTensor>;
  readonly slots: ReadonlyMap<string, StoredTensor>;
}

/** The slot's name while training goes on and, in files, that of the weights it was taken from. */
const exchanged = [
  ['average', 'trained'],
  ['trained', 'average'],
] as const;

/**
 * Where an optimizer averages the weights, a checkpoint's model files hold the averages, which were
 * validated and which whoever opens them wants; the weights that training goes on with are then
 * among the slots, named `trained`. This turns the one into the other, either way. Without averages
 * nothing is changed.
 */
export function exchangeAverages({ weights, slots }: StoredTraining): StoredTraining {
  const newWeights = new Map(weights);
  const newSlots = new Map<string, StoredTensor>();
  for (const [name, slot] of slots) {
    const pair = exchanged.find(([from]) => name.endsWith(`/${from}`));
    const variable = pair && name.slice(name.indexOf('/') + 1, -pair[0].length - 1);
    const weight = variable === undefined ? undefined : weights.get(variable);
    if (pair && variable !== undefined && weight) {
      newWeights.set(variable, slot);
      newSlots.set(`${name.slice(0, -pair[0].length)}${pair[1]}`, weight);
    } else {
      newSlots.set(name, slot);
    }
  }
  return { weights: newWeights, slots: newSlots };
}
