import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { EngineReport, LayerReport } from '../../../shared/engine-report.ts';
import { TeletrainError, UsageError } from '../../../shared/errors.ts';
import { workerFolders } from '../../folders.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { ensureEngine } from '../../native/ensure-engine.ts';
import { findGpu, type GpuSearch } from '../../native/gpu.ts';
import { describeProcessor, threadCount } from '../../native/processor.ts';
import type { OnSetupProgress } from '../../native/progress.ts';
import { chooseImplementations } from '../probe/choose-implementations.ts';
import { explainCandidates } from './candidates.ts';
import { loadNativeBackend, type NativeBackend } from './native-backend.ts';
import type { ExecuteOperation } from './operation.ts';
import { selfTest } from './self-test.ts';
import { loadWasmBackend, type WasmBackend } from './wasm-backend.ts';

export interface OpenEngineOptions {
  /**
   * Fail rather than fall back: `native` refuses WebAssembly, `gpu` also refuses the CPU,
   * `nothing` takes what there is, whatever the environment says. Default:
   * `TELETRAIN_REQUIRE_ENGINE`.
   */
  require?: 'native' | 'gpu' | 'nothing' | undefined;
  /**
   * `wasm` takes WebAssembly though a native engine may be there. What is required comes before
   * what is preferred. Default: `native`.
   */
  prefer?: 'native' | 'wasm';
  /** The cache folder the engine is set up in. Default: `workerFolders().cache`. */
  cacheDir?: string;
  onProgress?: OnSetupProgress;
}

/** What computes. The backend is set in `@tensorflow/tfjs-core`; a process has one at a time. */
export interface Engine {
  readonly kind: 'native' | 'wasm';
  readonly device: 'cpu' | 'gpu';
  readonly report: EngineReport;
  /** The true number of live tensor handles: TensorFlow's own count, or tfjs' on WebAssembly. */
  liveTensors(): number;
  /** Runs a TensorFlow operation by its name; the native engine only. */
  readonly executeOp?: ExecuteOperation;
}

/**
 * Chooses the best engine that works, in the order GPU, CPU, WebAssembly, sets it up where
 * needed, makes it tfjs' backend, tests it and chooses how each layer is computed. The
 * report says why a better engine or a faster way was not taken.
 * @throws TeletrainError `gpu-required` or `native-required` when `require` cannot be met,
 * `engine-self-test-failed` when the engine computes wrongly; UsageError `engine-unknown`,
 * `instruction-set-unknown` for what the environment asks.
 */
export async function openEngine(options: OpenEngineOptions = {}): Promise<Engine> {
  refuseUnknownInstructionSet();
  const required = options.require ?? requiredByEnvironment() ?? 'nothing';
  const prefersWasm = options.prefer === 'wasm' && required === 'nothing';
  const gpuSearch = await findGpu();
  const ensured = prefersWasm
    ? undefined
    : await ensureEngine({ ...options, wantGpu: 'gpu' in gpuSearch });
  const binding = ensured && 'binding' in ensured ? ensured.binding : undefined;
  const native = binding && loadNative(binding);
  const candidates = explainCandidates({ gpuSearch, ensured, native });
  const refuse = (code: string, index: number, what: string) => {
    const reason = candidates[index]?.reason ?? 'unknown';
    throw new TeletrainError(
      code,
      `${what}, and this machine cannot give it: ${reason.replace(/\.$/, '')}.`,
      {
        hint: 'Mend that, or start the worker without the requirement; `teletrain doctor` shows every engine.',
      },
    );
  };
  if (required === 'gpu' && !native?.usesGpu) refuse('gpu-required', 0, 'A GPU is required');
  if (required === 'native' && native === undefined) {
    refuse('native-required', 1, 'The native engine is required');
  }

  const backend: NativeBackend | WasmBackend = native ?? (await loadWasm());
  await tf.setBackend(backend.name);
  await tf.ready();
  let layers: LayerReport[];
  try {
    selfTest();
    layers = await chooseImplementations(
      join(options.cacheDir ?? workerFolders().cache, 'engine', 'attempts'),
    );
  } catch (cause) {
    throw new TeletrainError('engine-self-test-failed', `The engine computes wrongly: ${cause}.`, {
      hint: 'Run `teletrain clean` to have it set up anew, and report this if it comes back.',
      cause,
    });
  }
  const device = native?.usesGpu ? 'gpu' : 'cpu';
  return {
    kind: native ? 'native' : 'wasm',
    device,
    report: { ...describe(native, binding, gpuSearch, candidates), layers },
    liveTensors: () => backend.liveTensors(),
    ...(native && { executeOp: native.executeOp }),
  };
}

/** @throws UsageError `engine-unknown` for a value that is neither `native` nor `gpu`. */
function requiredByEnvironment(): 'native' | 'gpu' | undefined {
  const value = process.env.TELETRAIN_REQUIRE_ENGINE;
  if (value === undefined || value === '') return undefined;
  if (value === 'native' || value === 'gpu') return value;
  throw new UsageError(
    'engine-unknown',
    `TELETRAIN_REQUIRE_ENGINE is ${value}.`,
    'Set it to native or gpu, or to nothing.',
  );
}

/** What our kernels take `TELETRAIN_INSTRUCTION_SET` for; any other value they pass over. */
const instructionSets = ['plain', 'avx2', 'avx512'];

/** @throws UsageError `instruction-set-unknown`. */
function refuseUnknownInstructionSet(): void {
  const value = process.env.TELETRAIN_INSTRUCTION_SET;
  if (!value || instructionSets.includes(value)) return;
  throw new UsageError(
    'instruction-set-unknown',
    `TELETRAIN_INSTRUCTION_SET is ${value}.`,
    `Set it to ${instructionSets.join(', ')}, or to nothing.`,
  );
}

const loaded: { native?: NativeBackend; wasm?: Promise<WasmBackend> } = {};

function loadNative(binding: NativeBinding): NativeBackend {
  loaded.native ??= loadNativeBackend(binding.path);
  return loaded.native;
}

function loadWasm(): Promise<WasmBackend> {
  loaded.wasm ??= loadWasmBackend();
  return loaded.wasm;
}

function describe(
  native: NativeBackend | undefined,
  binding: NativeBinding | undefined,
  gpuSearch: GpuSearch,
  candidates: EngineReport['candidates'],
): EngineReport {
  const { model, features } = describeProcessor();
  const gpuFound = 'gpu' in gpuSearch && {
    name: gpuSearch.gpu.name,
    memoryBytes: gpuSearch.gpu.memoryBytes,
  };
  return {
    kind: native ? 'native' : 'wasm',
    device: native?.usesGpu ? 'gpu' : 'cpu',
    ...(gpuFound && { gpuFound, ...(native?.usesGpu && { gpu: gpuFound }) }),
    ...(native &&
      binding && {
        tensorflowVersion: native.tensorflowVersion,
        tensorflowSource: {
          directory: binding.tensorflow.directory,
          origin: binding.tensorflow.origin,
        },
      }),
    tfjsVersion: tf.version_core,
    nodeVersion: process.version,
    threads: native ? threadCount() : 1,
    cpu: model,
    cpuFeatures: features,
    candidates,
  };
}
