import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { findProgram, lastWords, runCommand } from './command.ts';
import type { OnSetupProgress } from './progress.ts';
import { type TensorFlowInstall, tensorFlowLibraries } from './tensorflow-found.ts';

/** The compiled addon of one TensorFlow, which passed its check in a process of its own. */
export interface NativeBinding {
  readonly path: string;
  readonly tensorflow: TensorFlowInstall;
}

const require = createRequire(import.meta.url);
const compilerNames = ['g++', 'c++', 'clang++'];
const checkedSchema = z.object({ tensorflowVersion: z.string() });

/**
 * Compiles the addon of tfjs-node-gpu against this TensorFlow's own libraries, checks it in a
 * process of its own (a wrong library ends a process, it does not throw) and keeps it in the cache
 * under the TensorFlow's version, the architecture and a hash of everything it was made from.
 * @throws TeletrainError `no-compiler`, `engine-packages-missing`, `binding-compile-failed` or
 * `binding-check-failed`.
 */
export async function ensureBinding(
  tensorflow: TensorFlowInstall,
  engineCache: string,
  onProgress: OnSetupProgress,
): Promise<NativeBinding> {
  const sources = await findSources();
  const flags = compileFlags(tensorflow, sources.includes);
  const key = await hashOf(sources, flags, tensorflow);
  const folder = join(
    engineCache,
    `binding-${tensorflow.version}-${process.arch}-${key.slice(0, 16)}`,
  );
  const path = join(folder, 'tfjs_binding.node');
  if (await wasChecked(folder)) return { path, tensorflow };

  const compiler = await requireCompiler();
  onProgress({
    step: 'compile',
    message: `compiling the engine for TensorFlow ${tensorflow.version} (about 20 s, once)`,
  });
  const partial = `${folder}.${process.pid}.partial`;
  await mkdir(partial, { recursive: true });
  try {
    const partialPath = join(partial, 'tfjs_binding.node');
    await compile(compiler, sources.units, flags, tensorflow.directory, partial, partialPath);
    onProgress({ step: 'check', message: 'checking the engine' });
    await check(partialPath, tensorflow);
    await writeFile(
      join(partial, 'checked.json'),
      `${JSON.stringify({ tensorflowVersion: tensorflow.version })}\n`,
    );
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return { path, tensorflow };
}

/** The C++ compiler: `CXX`, else the first that PATH has. @throws TeletrainError `no-compiler`. */
export async function requireCompiler(): Promise<string> {
  const names = process.env.CXX ? [process.env.CXX, ...compilerNames] : compilerNames;
  const compiler = await findProgram(names);
  if (compiler !== undefined) return compiler;
  throw new TeletrainError('no-compiler', 'No C++ compiler was found (g++).', {
    hint: 'Install build-essential (or your system’s g++ package) and try again.',
  });
}

interface Unit {
  readonly file: string;
  /** What this file alone is compiled with. */
  readonly flags: readonly string[];
}

interface Sources {
  /** Files given to the compiler, those that take longest first. */
  readonly units: Unit[];
  /** Every file whose change means another addon. */
  readonly files: string[];
  readonly includes: string[];
}

async function findSources(): Promise<Sources> {
  let bindingFolder: string;
  let headers: string;
  try {
    const packageFile = require.resolve('@tensorflow/tfjs-node-gpu/package.json');
    bindingFolder = join(dirname(packageFile), 'binding');
    headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  } catch (cause) {
    throw new TeletrainError(
      'engine-packages-missing',
      'The native engine’s packages are not installed.',
      { hint: 'Install teletrain with its optional dependencies.', cause },
    );
  }
  const kernels = kernelFolder();
  const isSource = (name: string) => /\.(cc|h)$/.test(name);
  const bindingFiles = (await readdir(bindingFolder))
    .filter(isSource)
    .map((name) => join(bindingFolder, name));
  const kernelFiles = (await readdir(kernels, { recursive: true }))
    .filter(isSource)
    .map((name) => join(kernels, name));
  const units = [
    ...kernelFiles.map((file) => ({ file, flags: kernelFlags(file, kernels) })),
    ...bindingFiles.map((file) => ({ file, flags: ['-O2'] })),
  ].filter(({ file, flags }) => file.endsWith('.cc') && flags !== undefined) as Unit[];
  const slowness = ({ flags }: Unit) => flags.length;
  return {
    files: [...bindingFiles, ...kernelFiles].sort(),
    units: units.sort((a, b) => slowness(b) - slowness(a) || a.file.localeCompare(b.file)),
    includes: [headers],
  };
}

/** The folder of our own C++ kernels, seen from this file among the sources or in `dist`. */
function kernelFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const compiled = join('dist', 'worker', 'native');
  const native = here.endsWith(compiled)
    ? join(here.slice(0, -compiled.length), 'worker', 'native')
    : here;
  return join(native, 'kernels');
}

/**
 * What each instruction set's file may use of the processor; the addon runs its code only where the
 * processor has that. Other files must run anywhere.
 */
const instructionSetFlags: Partial<Record<string, readonly string[]>> = {
  'avx2.cc': ['-mavx2', '-mfma'],
  'avx512.cc': ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mfma'],
};

/** The flags of a file of kernels; undefined for another architecture's. */
function kernelFlags(file: string, kernels: string): string[] | undefined {
  const optimised = ['-O3', '-ffp-contract=fast', '-Wno-psabi', `-I${kernels}`];
  const more = instructionSetFlags[basename(file)];
  if (more === undefined) return optimised;
  return process.arch === 'x64' ? [...optimised, ...more] : undefined;
}

function compileFlags(tensorflow: TensorFlowInstall, includes: readonly string[]): string[] {
  return [
    ...['-fPIC', '-std=c++17', '-DNAPI_VERSION=8'],
    ...includes.map((folder) => `-I${folder}`),
    `-I${join(tensorflow.directory, 'include')}`,
  ];
}

async function hashOf(
  { files, units }: Sources,
  flags: readonly string[],
  tensorflow: TensorFlowInstall,
): Promise<string> {
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([
      flags,
      units.map((unit) => unit.flags),
      tensorflow.directory,
      tensorflow.version,
    ]),
  );
  for (const file of files) hash.update(file).update(await readFile(file));
  return hash.digest('hex');
}

async function wasChecked(folder: string): Promise<boolean> {
  try {
    checkedSchema.parse(JSON.parse(await readFile(join(folder, 'checked.json'), 'utf8')));
    return true;
  } catch {
    return false;
  }
}

async function compile(
  compiler: string,
  units: readonly Unit[],
  flags: readonly string[],
  libraries: string,
  folder: string,
  output: string,
): Promise<void> {
  const objects: string[] = [];
  const waiting = units.map((unit, index) => ({ unit, object: join(folder, `${index}.o`) }));
  const compileNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      objects.push(next.object);
      await runCompiler(compiler, [
        ...flags,
        ...next.unit.flags,
        '-c',
        next.unit.file,
        '-o',
        next.object,
      ]);
    }
  };
  const lanes = Math.min(availableParallelism(), units.length);
  await Promise.all(Array.from({ length: lanes }, compileNext));
  await runCompiler(compiler, [
    ...['-shared', ...objects.sort(), `-L${libraries}`],
    ...tensorFlowLibraries.map((library) => `-l:${library}`),
    ...[`-Wl,-rpath,${libraries}`, '-o', output],
  ]);
  await Promise.all(objects.map((object) => rm(object)));
}

async function runCompiler(compiler: string, args: readonly string[]): Promise<void> {
  const result = await runCommand(compiler, args, { timeout: 300_000 });
  if (result.status === 0) return;
  throw new TeletrainError(
    'binding-compile-failed',
    `The engine did not compile: ${lastWords(result)}`,
    {
      hint: 'Report this with the TensorFlow and compiler versions that `teletrain doctor` prints.',
    },
  );
}

async function check(path: string, tensorflow: TensorFlowInstall): Promise<void> {
  const program = fileURLToPath(
    new URL(`./check-binding${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  );
  const result = await runCommand(process.execPath, [program, path], {
    timeout: 120_000,
    environment: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  if (result.status === 0) return;
  throw new TeletrainError(
    'binding-check-failed',
    `The engine compiled for TensorFlow ${tensorflow.version} does not work: ${lastWords(result)}`,
    {
      hint: `Install another TensorFlow, or remove ${tensorflow.directory} so that one is fetched.`,
    },
  );
}
