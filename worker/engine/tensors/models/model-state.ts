import { z } from 'zod';
import { TeletrainError } from '../../../../shared/errors.ts';
import { exchangeAverages, type StoredTraining } from '../../checkpoints/averages.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
  safetensorsMetadata,
} from '../../checkpoints/safetensors.ts';
import { type OptimizerKind, optimizerKindSchema } from './optimizer-settings.ts';

/** A model's weights and, once it took a step, what its optimizer keeps. */
export interface ModelState {
  readonly weights: ReadonlyMap<string, StoredTensor>;
  readonly optimizer: StoredOptimizer | undefined;
}

export interface StoredOptimizer {
  readonly kind: OptimizerKind;
  /** Steps applied. */
  readonly iterations: number;
  readonly slots: ReadonlyMap<string, StoredTensor>;
}

const format = 'teletrain-state';
const optimizerSchema = z.strictObject({
  kind: optimizerKindSchema,
  iterations: z.int().min(0),
});

/**
 * One safetensors file: the weights by their names, as a checkpoint's model.safetensors has them (where
 * averages are kept, these), and beside them the optimizer's slots; its metadata has the rest.
 */
export function encodeState({ weights, optimizer }: ModelState): Uint8Array {
  if (optimizer === undefined) return encodeSafetensors(weights, { format });
  const { kind, iterations, slots } = optimizer;
  const exchanged = exchangeAverages({ weights, slots });
  return encodeSafetensors(new Map([...exchanged.weights, ...exchanged.slots]), {
    format,
    optimizer: JSON.stringify({ kind, iterations }),
  });
}

/**
 * Reads what `encodeState` writes, and any other safetensors file as weights without an optimizer.
 * @param names of the model's weights; what is not among them is a slot
 * @throws TeletrainError `corrupt-safetensors`.
 */
export function decodeState(file: Uint8Array, names: ReadonlySet<string>): ModelState {
  const tensors = decodeSafetensors(file);
  const metadata = safetensorsMetadata(file);
  if (metadata.format !== format || metadata.optimizer === undefined) {
    return { weights: tensors, optimizer: undefined };
  }
  const optimizer = parseOptimizer(metadata.optimizer);
  const ofNames = (isWeight: boolean) =>
    new Map([...tensors].filter(([name]) => names.has(name) === isWeight));
  const stored: StoredTraining = { weights: ofNames(true), slots: ofNames(false) };
  const { weights, slots } = exchangeAverages(stored);
  return { weights, optimizer: { ...optimizer, slots } };
}

function parseOptimizer(text: string): z.infer<typeof optimizerSchema> {
  try {
    return optimizerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new TeletrainError(
      'corrupt-safetensors',
      'The tensor file is damaged: what it says of an optimizer cannot be read.',
      { hint: 'Use another state.', cause },
    );
  }
}
