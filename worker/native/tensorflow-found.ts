import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { findProgram, runCommand } from './command.ts';

/** A TensorFlow pip wheel unpacked on disk. Python itself is never needed to run it. */
export interface TensorFlowInstall {
  /** The package's folder: holds the two libraries and `include/`. */
  readonly directory: string;
  readonly version: string;
  readonly origin: 'installed' | 'fetched';
  /** Whether this build has GPU kernels at all. */
  readonly builtWithCuda: boolean;
}

export const tensorFlowLibraries = [
  'libtensorflow_cc.so.2',
  'libtensorflow_framework.so.2',
] as const;

const pythonNames = [
  'python3',
  'python',
  ...[14, 13, 12, 11, 10, 9].map((minor) => `python3.${minor}`),
];

// Prints what is needed about each place, without importing TensorFlow: an import takes seconds,
// and on a GPU machine it would take the GPU's memory.
const inspect = `
import importlib.util, json, sys
spec = importlib.util.find_spec('tensorflow')
places = list(spec.submodule_search_locations or []) if spec else []
directory = places[0] if places else None
version = None
if directory:
    from importlib import metadata
    for name in ('tensorflow', 'tensorflow-cpu', 'tf-nightly', 'tensorflow-intel', 'tensorflow-rocm'):
        try:
            version = metadata.version(name)
            break
        except metadata.PackageNotFoundError:
            pass
print(json.dumps({
    'prefix': sys.prefix,
    'directory': directory,
    'version': version,
    'pip': importlib.util.find_spec('pip') is not None,
}))
`;

const inspectionSchema = z.object({
  prefix: z.string(),
  directory: z.string().nullable(),
  version: z.string().nullable(),
  pip: z.boolean(),
});

/** One of the user's Pythons, as far as the engine needs to know it. */
export interface PythonFound {
  readonly program: string;
  readonly hasPip: boolean;
  readonly tensorflow?: TensorFlowInstall;
  /** Why the TensorFlow that this Python has cannot serve. */
  readonly problem?: string;
}

/** The Pythons of this machine, `TELETRAIN_PYTHON` first, then PATH's; each installation once. */
export async function findPythons(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<PythonFound[]> {
  const names = environment.TELETRAIN_PYTHON
    ? [environment.TELETRAIN_PYTHON, ...pythonNames]
    : pythonNames;
  const programs = await Promise.all(names.map((name) => findProgram([name], environment)));
  const found = await Promise.all(
    [...new Set(programs)].map((program) => program && inspectPython(program, environment)),
  );
  const byPrefix = new Map<string, PythonFound>();
  for (const python of found) {
    if (python && !byPrefix.has(python.prefix)) byPrefix.set(python.prefix, python);
  }
  return [...byPrefix.values()];
}

async function inspectPython(
  program: string,
  environment: NodeJS.ProcessEnv,
): Promise<(PythonFound & { prefix: string }) | undefined> {
  const result = await runCommand(program, ['-c', inspect], { environment, timeout: 20_000 });
  if (result.status !== 0) return undefined;
  let inspection: z.infer<typeof inspectionSchema>;
  try {
    inspection = inspectionSchema.parse(JSON.parse(result.stdout));
  } catch {
    return undefined;
  }
  const { prefix, directory, version, pip } = inspection;
  const python = { program, prefix, hasPip: pip };
  if (directory === null) return python;
  if (version === null) return { ...python, problem: `${directory} has no package metadata` };
  const problem = await whyUnusable(directory);
  if (problem !== undefined) return { ...python, problem };
  const builtWithCuda = await readBuiltWithCuda(directory);
  return { ...python, tensorflow: { directory, version, origin: 'installed', builtWithCuda } };
}

/** What a TensorFlow folder lacks to be compiled against, or undefined when it has everything. */
export async function whyUnusable(directory: string): Promise<string | undefined> {
  for (const name of [...tensorFlowLibraries, 'include/tensorflow/c/eager/c_api.h']) {
    try {
      await access(join(directory, name));
    } catch {
      return `${directory} has no ${name}`;
    }
  }
  return undefined;
}

async function readBuiltWithCuda(directory: string): Promise<boolean> {
  const file = join(directory, 'python', 'platform', 'build_info.py');
  const text = await readFile(file, 'utf8').catch(() => '');
  return /is_cuda_build['"],\s*True/.test(text);
}
