import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { workerFolders } from '../folders.ts';
import { ensureBinding, type NativeBinding, requireCompiler } from './binding.ts';
import { withFolderLock } from './folder-lock.ts';
import { findGpu } from './gpu.ts';
import type { OnSetupProgress } from './progress.ts';
import { fetchTensorFlow, findFetched, requireWheelPlatform } from './tensorflow-fetched.ts';
import { findPythons, type PythonFound, type TensorFlowInstall } from './tensorflow-found.ts';
import { recallTensorFlow, rememberTensorFlow } from './tensorflow-remembered.ts';

export interface EnsureEngineOptions {
  /** The cache folder; the engine lies in its `engine/`. Default: `workerFolders().cache`. */
  cacheDir?: string;
  onProgress?: OnSetupProgress;
  /**
   * Prefer an installed TensorFlow that has GPU kernels to one that has none. Default: whether the
   * driver has a GPU.
   */
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
  const wantGpu = options.wantGpu ?? 'gpu' in (await findGpu());
  try {
    const binding = await withFolderLock(
      join(engineCache, 'setup.lock'),
      () => setUp(engineCache, onProgress, wantGpu),
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
  const problems: TeletrainError[] = [];
  const firstThatWorks = async (
    places: readonly TensorFlowInstall[],
  ): Promise<NativeBinding | undefined> => {
    for (const tensorflow of places) {
      try {
        const binding = await ensureBinding(tensorflow, engineCache, onProgress);
        if (tensorflow.origin === 'installed') await rememberTensorFlow(engineCache, tensorflow);
        return binding;
      } catch (error) {
        if (!(error instanceof TeletrainError)) throw error;
        // Without a compiler or the packages no other TensorFlow would fare better.
        if (error.code === 'no-compiler' || error.code === 'engine-packages-missing') throw error;
        problems.push(error);
      }
    }
    return undefined;
  };

  const fetched = await findFetched(engineCache);
  const served = (await recallTensorFlow(engineCache)) ?? fetched;
  const known = served === undefined || (wantGpu && !served.builtWithCuda) ? [] : [served];
  const quick = await firstThatWorks(known);
  if (quick !== undefined) return quick;

  onProgress({ step: 'find', message: 'looking for TensorFlow' });
  const pythons = await findPythons();
  const others = gpuBuildsFirst(pythons).filter(
    ({ directory }) => directory !== known[0]?.directory,
  );
  const binding = await firstThatWorks([
    ...others,
    ...(fetched && !known.includes(fetched) ? [fetched] : []),
  ]);
  if (binding !== undefined) return binding;
  if (fetched === undefined) {
    try {
      // Before a download of 259 MB that would be of no use.
      requireWheelPlatform();
      await requireCompiler();
      return await ensureBinding(
        await fetchTensorFlow(engineCache, pythons, onProgress),
        engineCache,
        onProgress,
      );
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      problems.push(error);
    }
  }
  throw joined(problems, pythons);
}

/** The installed TensorFlows, each folder once, those with GPU kernels first. */
function gpuBuildsFirst(pythons: readonly PythonFound[]): TensorFlowInstall[] {
  const installed = pythons.flatMap(({ tensorflow }) => tensorflow ?? []);
  return [...new Map(installed.map((place) => [place.directory, place])).values()].sort(
    (a, b) => Number(b.builtWithCuda) - Number(a.builtWithCuda),
  );
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
