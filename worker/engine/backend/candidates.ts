import type { EngineCandidate } from '../../../shared/engine-report.ts';
import type { EnsuredEngine } from '../../native/ensure-engine.ts';
import type { GpuSearch } from '../../native/gpu.ts';

export interface EngineFindings {
  readonly gpuSearch: GpuSearch;
  /** The native set-up's outcome; undefined when WebAssembly was asked for and it was not tried. */
  readonly ensured: EnsuredEngine | undefined;
  readonly native: { readonly usesGpu: boolean } | undefined;
}

/** Every engine in the fixed order of preference, each with why it was or was not taken. */
export function explainCandidates(findings: EngineFindings): EngineCandidate[] {
  const { native } = findings;
  return [
    {
      name: 'native-gpu',
      chosen: native?.usesGpu === true,
      reason: native?.usesGpu ? 'TensorFlow runs on the GPU' : whyNoGpu(findings),
    },
    {
      name: 'native-cpu',
      chosen: native?.usesGpu === false,
      reason: native
        ? native.usesGpu
          ? 'the GPU is faster'
          : 'TensorFlow runs on the CPU'
        : whyNotNative(findings.ensured),
    },
    {
      name: 'wasm',
      chosen: native === undefined,
      reason: native ? 'the native engine is faster' : 'WebAssembly runs anywhere, slowly',
    },
  ];
}

function whyNotNative(ensured: EnsuredEngine | undefined): string {
  if (ensured === undefined) return 'WebAssembly was asked for';
  if ('binding' in ensured) throw new TypeError('a native engine that is ready was not loaded');
  const { message, hint } = ensured.problem;
  return `${message.replace(/[.:\s]+$/, '')}: ${hint.replace(/\.$/, '')}`;
}

function whyNoGpu({ gpuSearch, ensured, native }: EngineFindings): string {
  if ('missing' in gpuSearch) return gpuSearch.missing;
  const { name } = gpuSearch.gpu;
  if (native === undefined || ensured === undefined || 'problem' in ensured) {
    return `the GPU (${name}) needs the native engine: ${whyNotNative(ensured)}`;
  }
  const { version, directory, builtWithCuda } = ensured.binding.tensorflow;
  return builtWithCuda
    ? `TensorFlow ${version} sees no GPU though the driver has ${name}: its CUDA libraries must be in LD_LIBRARY_PATH before the worker starts`
    : `TensorFlow ${version} in ${directory} is built for the CPU only: install the package tensorflow[and-cuda] to use ${name}`;
}
