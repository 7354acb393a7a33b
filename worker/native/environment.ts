import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findGpu } from './gpu.ts';
import { findPythons } from './tensorflow-found.ts';

/**
 * What must be in the engine process's environment before it starts: variables that TensorFlow's
 * libraries read when they are loaded. A variable that the user set is left as it is;
 * LD_LIBRARY_PATH is added to. Does not import tfjs.
 */
export async function engineEnvironment(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Record<string, string>> {
  const settings: Record<string, string> = {};
  const set = (name: string, value: string) => {
    if (environment[name] === undefined) settings[name] = value;
  };
  // Errors only: TensorFlow's own greeting would go to the user's terminal.
  set('TF_CPP_MIN_LOG_LEVEL', '2');
  const search = await findGpu(environment);
  if ('gpu' in search) {
    // Else TensorFlow takes all of the GPU's memory at its first operation.
    set('TF_FORCE_GPU_ALLOW_GROWTH', 'true');
    const folders = await cudaFolders(environment);
    const already = (environment.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder);
    const missing = folders.filter((folder) => !already.includes(folder));
    if (missing.length > 0) settings.LD_LIBRARY_PATH = [...already, ...missing].join(':');
  }
  return settings;
}

/** Folders that hold CUDA: the driver's in Colab, the toolkit's, and those of pip's nvidia packages. */
async function cudaFolders(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const pythons = await findPythons(environment);
  const pipFolders = await Promise.all(
    pythons.flatMap((python) => python.tensorflow ?? []).map(nvidiaPackageFolders),
  );
  const folders = ['/usr/lib64-nvidia', '/usr/local/cuda/lib64', ...pipFolders.flat()];
  const existing = await Promise.all(
    folders.map((folder) =>
      access(folder).then(
        () => [folder],
        () => [],
      ),
    ),
  );
  return existing.flat();
}

async function nvidiaPackageFolders(tensorflow: { directory: string }): Promise<string[]> {
  const packages = join(tensorflow.directory, '..', 'nvidia');
  const names = await readdir(packages).catch(() => []);
  return names.map((name) => join(packages, name, 'lib'));
}
