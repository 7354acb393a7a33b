import { z } from 'zod';
import { openName } from './open-name.ts';

/** The engines in the fixed order of preference in which they are tried. */
export const engineCandidateNames = ['native-gpu', 'native-cpu', 'wasm'] as const;

export const engineCandidateSchema = z.object({
  name: openName<(typeof engineCandidateNames)[number]>(),
  chosen: z.boolean(),
  /** Why it was chosen, or why not and what to do, e.g. "no g++: install build-essential". */
  reason: z.string(),
});

/**
 * The layers that an engine can compute in more than one way. `GRUResetBefore` is a GRU without Keras'
 * `reset_after`.
 */
export const layerNames = [
  'SimpleRNN',
  'LSTM',
  'GRU',
  'GRUResetBefore',
  'DiagonalLSTM',
  'Dense',
  'MaskedConvolution',
] as const;

/**
 * The ways, in the order in which they are preferred while nothing else is known: our own kernel, TensorFlow's
 * CudnnRNNV3, its BlockLSTMV2, its small operations called by name, and plain tfjs operations.
 */
export const implementationNames = ['kernel', 'cudnn', 'block', 'operations', 'composed'] as const;

export const layerReportSchema = z.object({
  layer: openName<LayerName>(),
  used: openName<ImplementationName>(),
  /** All that the layer has, in order of preference. */
  implementations: z.array(
    z.object({
      name: openName<ImplementationName>(),
      /** Whether its values and gradients agreed with the reference's; absent where it was not tried. */
      agrees: z.boolean().optional(),
      /** Why it is used or not, e.g. "differs from the reference by 3.1e-2 in the bias' gradient". */
      reason: z.string(),
      /** Largest difference from the reference, over the largest value of the same tensor. */
      difference: z.number().optional(),
      /** Of the timed case, there and back; absent where it was not timed. */
      milliseconds: z.number().optional(),
    }),
  ),
});

const gpuSchema = z.object({ name: z.string(), memoryBytes: z.number().int().nonnegative() });

/** What computes, and why nothing better does. `doctor` prints it; `run.json` keeps it. */
export const engineReportSchema = z.object({
  kind: openName<'native' | 'wasm'>(),
  device: openName<'cpu' | 'gpu'>(),
  /** The GPU that computes. */
  gpu: gpuSchema.optional(),
  /** The GPU that the driver offers, whether or not the engine can use it. */
  gpuFound: gpuSchema.optional(),
  /** Of the native engine only, e.g. "2.20.0". */
  tensorflowVersion: z.string().optional(),
  /** Folder of the TensorFlow that runs, and whether it was found installed or was fetched. */
  tensorflowSource: z
    .object({ directory: z.string(), origin: openName<'installed' | 'fetched'>() })
    .optional(),
  tfjsVersion: z.string(),
  nodeVersion: z.string(),
  /** Threads that one operation may use. Bit-identity is promised for an equal number only. */
  threads: z.number().int().positive(),
  cpu: z.string(),
  /** The vector extensions that matter to TensorFlow's kernels, e.g. avx2, fma, avx512f. */
  cpuFeatures: z.array(z.string()),
  candidates: z.array(engineCandidateSchema),
  /** How each layer is computed; absent in what earlier versions wrote. */
  layers: z.array(layerReportSchema).optional(),
});

export type EngineCandidate = z.infer<typeof engineCandidateSchema>;
export type LayerName = (typeof layerNames)[number];
export type ImplementationName = (typeof implementationNames)[number];
export type LayerReport = z.infer<typeof layerReportSchema>;
export type ImplementationReport = LayerReport['implementations'][number];
export type EngineReport = z.infer<typeof engineReportSchema>;
