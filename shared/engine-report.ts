import { z } from 'zod';

/** The engines in the fixed order of preference in which they are tried. */
export const engineCandidateNames = ['native-gpu', 'native-cpu', 'wasm'] as const;

export const engineCandidateSchema = z.object({
  name: z.enum(engineCandidateNames),
  chosen: z.boolean(),
  /** Why it was chosen, or why not and what to do, e.g. "no g++: install build-essential". */
  reason: z.string(),
});

const gpuSchema = z.object({ name: z.string(), memoryBytes: z.number().int().nonnegative() });

/** What computes, and why nothing better does. `doctor` prints it; `run.json` keeps it. */
export const engineReportSchema = z.object({
  kind: z.enum(['native', 'wasm']),
  device: z.enum(['cpu', 'gpu']),
  /** The GPU that computes. */
  gpu: gpuSchema.optional(),
  /** The GPU that the driver offers, whether or not the engine can use it. */
  gpuFound: gpuSchema.optional(),
  /** Of the native engine only, e.g. "2.20.0". */
  tensorflowVersion: z.string().optional(),
  /** Folder of the TensorFlow that runs, and whether it was found installed or was fetched. */
  tensorflowSource: z
    .object({ directory: z.string(), origin: z.enum(['installed', 'fetched']) })
    .optional(),
  tfjsVersion: z.string(),
  nodeVersion: z.string(),
  /** Threads that one operation may use. Bit-identity is promised for an equal number only. */
  threads: z.number().int().positive(),
  cpu: z.string(),
  /** The vector extensions that matter to TensorFlow's kernels, e.g. avx2, fma, avx512f. */
  cpuFeatures: z.array(z.string()),
  candidates: z.array(engineCandidateSchema),
});

export type EngineCandidate = z.infer<typeof engineCandidateSchema>;
export type EngineReport = z.infer<typeof engineReportSchema>;
