import { type Tensor, tensor, type Variable } from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../shared/errors.ts';
import type { StoredTensor } from './safetensors.ts';

/** Copies tensors from the device, in their order. */
export async function fetchTensors(
  tensors: ReadonlyMap<string, Tensor>,
): Promise<Map<string, StoredTensor>> {
  const stored = new Map<string, StoredTensor>();
  for (const [name, source] of tensors) {
    const values = await source.data();
    if (!(values instanceof Float32Array || values instanceof Int32Array)) {
      throw new TypeError(`${name} is ${source.dtype}; checkpoints hold float32 and int32.`);
    }
    stored.set(name, { shape: source.shape, values: values.slice() });
  }
  return stored;
}

/** The first tensor with a value that is not finite, if any. */
export function findNotFinite(tensors: ReadonlyMap<string, StoredTensor>): string | undefined {
  for (const [name, { values }] of tensors) {
    if (values instanceof Float32Array && !values.every(Number.isFinite)) return name;
  }
  return undefined;
}

/** To the device; the caller disposes. */
export function toTensor({ shape, values }: StoredTensor): Tensor {
  return tensor(values, [...shape], values instanceof Float32Array ? 'float32' : 'int32');
}

/**
 * Sets variables to stored weights.
 * @throws TeletrainError `checkpoint-mismatch` when names or shapes differ; then nothing was set.
 */
export function restoreVariables(
  variables: ReadonlyMap<string, Variable>,
  weights: ReadonlyMap<string, StoredTensor>,
): void {
  for (const [name, { shape }] of variables) {
    const stored = weights.get(name)?.shape;
    if (String(stored) !== String(shape)) {
      throw mismatch(`${name} is [${stored ?? 'missing'}] in it and [${shape}] in the model`);
    }
  }
  for (const name of weights.keys()) {
    if (!variables.has(name)) throw mismatch(`the model has no ${name}`);
  }
  for (const [name, variable] of variables) {
    const stored = weights.get(name);
    if (stored === undefined) continue;
    const values = toTensor(stored);
    variable.assign(values);
    values.dispose();
  }
}

function mismatch(what: string): TeletrainError {
  return new TeletrainError('checkpoint-mismatch', `The checkpoint is of another model: ${what}.`, {
    hint: 'Resume it with the recipe and the settings it was made with.',
  });
}
