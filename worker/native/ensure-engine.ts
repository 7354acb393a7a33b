import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { workerFolders } from '../folders.ts';
import { ensureBinding, type NativeBinding, requireCompiler } from './binding.ts';
import { withFolderLock } from './folder-lock.ts';
import type { OnSetupProgress } from './progress.ts';
import { fetchTensorFlow, findFetched } from './tensorflow-fetched.ts';
import { findPythons, type PythonFound } from './tensorflow-found.ts';

export interface EnsureEngineOptions {
  /** The cache folder; the engine lies in its `engine/`. Default: `workerFolders().cache`. */
  cacheDir?: string;
  onProgress?: OnSetupProgress;
  /** Prefer an installed TensorFlow that has GPU kernels to one that has none. Default: false. */
  wantGpu?: boolean;
}

/** What the native engine's set-up came to; nothing was loaded into this process. */
export type EnsuredEngine =
  | { readonly binding: NativeBinding }
  | { readonly problem: TeletrainError };

/**
 * Makes the native engine ready without loading it: an installed TensorFlow, or the pinned one
 * fetched once, and the addon compiled against it. Quick when everything is there. An installed
 * TensorFlow that does not work gives way to the next one and then to the fetched one. Two set-ups
 * at once wait for each other.
 * @returns the addon, or the problem that keeps this machine from a native engine.
 */
export async function ensureEngine(options: EnsureEngineOptions = {}): Promise<EnsuredEngine> {
  const engineCache = engineCacheFolder(options.cacheDir);
  const onProgress = options.onProgress ?? (() => {});
  try {
    const binding = await withFolderLock(
      join(engineCache, 'setup.lock'),
      () => setUp(engineCache, onProgress, options.wantGpu ?? false),
      (holder) =>
        onProgress({ step: 'wait', message: `waiting for another set-up (${holder}) to finish` }),
    );
    return { binding };
  } catch (error) {
    if (error instanceof TeletrainError) return { problem: error };
    throw error;
  }
}

export function engineCacheFolder(cacheDir = workerFolders().cache): string {
  return join(cacheDir, 'engine');
}

async function setUp(
  engineCache: string,
  onProgress: OnSetupProgress,
  wantGpu: boolean,
): Promise<NativeBinding> {
  const fetched = await findFetched(engineCache);
  if (fetched === undefined) onProgress({ step: 'find', message: 'looking for TensorFlow' });
  const pythons = wantGpu || fetched === undefined ? await findPythons() : [];
  const byFolder = new Map(
    pythons
      .flatMap((python) => python.tensorflow ?? [])
      .map((tensorflow) => [tensorflow.directory, tensorflow]),
  );
  const installed = [...byFolder.values()].sort(
    (a, b) => Number(b.builtWithCuda) - Number(a.builtWithCuda),
  );
  const problems: TeletrainError[] = [];
  for (const tensorflow of fetched === undefined ? installed : [...installed, fetched]) {
    try {
      return await ensureBinding(tensorflow, engineCache, onProgress);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      // Without a compiler or the packages no other TensorFlow would fare better.
      if (error.code === 'no-compiler' || error.code === 'engine-packages-missing') throw error;
      problems.push(error);
    }
  }
  if (fetched === undefined) {
    try {
      // Before a download of 259 MB that would be of no use.
      await requireCompiler();
      const tensorflow = await fetchTensorFlow(engineCache, pythons, onProgress);
      return await ensureBinding(tensorflow, engineCache, onProgress);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      problems.push(error);
    }
  }
  throw joined(problems, pythons);
}

/** One error of all that was tried: the last one's code and advice, everyone's words. */
function joined(
  problems: readonly TeletrainError[],
  pythons: readonly PythonFound[],
): TeletrainError {
  const last = problems.at(-1);
  if (last === undefined) throw new TypeError('the set-up failed without a problem');
  const passedOver = pythons.flatMap(({ problem }) => (problem ? [`${problem}.`] : []));
  const words = [...passedOver, ...problems.map(({ message }) => message)];
  return words.length === 1
    ? last
    : new TeletrainError(last.code, words.join(' '), { hint: last.hint, cause: last });
}
