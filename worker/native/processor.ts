import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/** Vector extensions that decide which of TensorFlow's kernels run. */
const tellingFeatures = [
  ...['sse4_2', 'avx', 'fma', 'avx2', 'avx512f', 'avx512_bf16', 'avx_vnni', 'amx_tile'],
  ...['asimd', 'sve'],
];

export interface Processor {
  readonly model: string;
  readonly features: string[];
}

export function describeProcessor(): Processor {
  return { model: cpus()[0]?.model.trim() ?? 'unknown', features: readFeatures() };
}

function readFeatures(): string[] {
  let text: string;
  try {
    text = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return []; // Only Linux has this file.
  }
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/));
  return tellingFeatures.filter((feature) => flags.has(feature));
}

/** Threads that one TensorFlow operation uses: `TF_NUM_INTRAOP_THREADS`, else every processor. */
export function threadCount(environment: NodeJS.ProcessEnv = process.env): number {
  const wanted = Number(environment.TF_NUM_INTRAOP_THREADS);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : availableParallelism();
}
