import { z } from 'zod';
import { TeletrainError } from '../../../../shared/errors.ts';
import { limits } from '../../../../shared/limits.ts';
import { bytesPerValue, sizeOf } from '../../../../shared/tensors/data.ts';
import { layerClasses } from './layer-classes.ts';

/** Deeper than models within models are, and within what tfjs' own recursion bears. */
const deepest = 64;
const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const weightsSchema = z
  .array(
    z.object({
      weights: z
        .array(
          z.object({
            name: z.string().min(1).max(512),
            shape: z.array(z.int().min(0)).max(16),
            dtype: z.enum(['float32', 'int32', 'bool']),
            quantization: z.undefined({ error: 'quantized weights are not read' }).optional(),
          }),
        )
        .max(65_536),
    }),
  )
  .max(65_536);

export interface ModelJson {
  /** `{ class_name, config }`, every class of which is one of `layerClasses`. */
  readonly topology: object;
  /** Of weights.bin, in the order of their bytes; undefined where the file describes none. */
  readonly weights: readonly WeightEntry[] | undefined;
}

export interface WeightEntry {
  readonly name: string;
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
}

/**
 * Reads a tfjs model.json, or its topology alone. Nothing is made of it here.
 * @throws TeletrainError `bad-model-json`; `unknown-layer-class` with its name; `model-unsupported`.
 */
export function parseModelJson(file: Uint8Array): ModelJson {
  if (file.byteLength > limits.modelJsonBytes) {
    throw badModelJson(`it has ${file.byteLength} bytes; ${limits.modelJsonBytes} are the most`);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(file).toString('utf8'));
  } catch (cause) {
    throw badModelJson('it is no JSON', cause);
  }
  const { modelTopology = value, weightsManifest } = Object(value);
  const topology: unknown = Object(modelTopology).model_config ?? modelTopology;
  if (typeof topology !== 'object' || topology === null || Array.isArray(topology)) {
    throw badModelJson('it has no topology');
  }
  refuseUnknown(topology, 0);
  return {
    topology: withoutTraining(topology),
    weights: weightsManifest === undefined ? undefined : parseWeights(weightsManifest),
  };
}

/** @throws TeletrainError `bad-model-json` unless the bytes are all that is described, and no more. */
export function checkWeightBytes(entries: readonly WeightEntry[], bytes: number): void {
  const described = entries.reduce(
    (sum, { shape, dtype }) => sum + sizeOf(shape) * bytesPerValue[dtype],
    0,
  );
  if (described !== bytes) {
    throw badModelJson(`it describes ${described} bytes of weights, and ${bytes} were given`);
  }
}

export function badModelJson(what: string, cause?: unknown): TeletrainError {
  return new TeletrainError('bad-model-json', `The model.json cannot be used: ${what}.`, {
    hint: 'Give what tfjs saves for a LayersModel, and its weights.bin.',
    cause,
  });
}

export function unsupportedModel(what: string, hint: string): TeletrainError {
  return new TeletrainError('model-unsupported', `The model cannot be trained so: ${what}.`, {
    hint,
  });
}

function parseWeights(manifest: unknown): WeightEntry[] {
  const parsed = weightsSchema.safeParse(manifest);
  if (!parsed.success) {
    throw badModelJson(`its weightsManifest is not right: ${parsed.error.issues[0]?.message}`);
  }
  return parsed.data.flatMap(({ weights }) =>
    weights.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  );
}

/** Looks at every name of a class, however the key is written: tfjs takes `class_name` and `className`. */
function refuseUnknown(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > deepest) throw badModelJson(`it is nested deeper than ${deepest}`);
  for (const [key, part] of Object.entries(value)) {
    if (forbiddenKeys.has(key)) throw badModelJson(`it has a key ${key}`);
    const plainKey = key.replaceAll('_', '').toLowerCase();
    if (plainKey === 'classname' && !(typeof part === 'string' && layerClasses.has(part))) {
      throw new TeletrainError(
        'unknown-layer-class',
        `The model.json names the class ${JSON.stringify(part)?.slice(0, 100)}, which no layer here has.`,
        { hint: "Use tfjs-layers' own layers; a layer of your own cannot be sent." },
      );
    }
    if (plainKey === 'stateful' && part === true) {
      throw unsupportedModel(
        'it has a stateful layer, whose state is not among the weights',
        'Make the layer without stateful.',
      );
    }
    refuseUnknown(part, depth + 1);
  }
}

function withoutTraining(topology: object): object {
  const { training_config: _, trainingConfig: __, ...rest } = topology as Record<string, unknown>;
  return rest;
}
