import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { TeletrainError } from '../../shared/errors.ts';
import { type BindingSources, findBindingSources } from './binding-sources.ts';
import { findProgram, lastWords, runCommand } from './command.ts';
import type { OnSetupProgress } from './progress.ts';
import { type TensorFlowInstall, tensorFlowLibraries } from './tensorflow-found.ts';
import { libraryStamp } from './tensorflow-remembered.ts';

/** The compiled addon of one TensorFlow, which passed its check in a process of its own. */
export interface NativeBinding {
  readonly path: string;
  readonly tensorflow: TensorFlowInstall;
}

const compilerNames = ['g++', 'c++', 'clang++'];
const checkedSchema = z.object({ tensorflowVersion: z.string() });

/**
 * Compiles the addon of tfjs-node-gpu with our kernels against this TensorFlow's own libraries, checks it in a
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
  const sources = await findBindingSources();
  const key = await keyOf(sources, tensorflow);
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
    await compile(compiler, sources, tensorflow.directory, partial, partialPath);
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

/** Of the sources and of the TensorFlow that they are compiled against. */
async function keyOf(sources: BindingSources, tensorflow: TensorFlowInstall): Promise<string> {
  const { directory, version } = tensorflow;
  const made = [sources.hash, directory, version, await libraryStamp(directory)];
  return createHash('sha256').update(JSON.stringify(made)).digest('hex');
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
  { units, headers }: BindingSources,
  tensorflow: string,
  folder: string,
  output: string,
): Promise<void> {
  const includes = [`-I${headers}`, `-I${join(tensorflow, 'include')}`];
  const objects: string[] = [];
  const waiting = units.map((unit, index) => ({ unit, object: join(folder, `${index}.o`) }));
  const compileNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      objects.push(next.object);
      await runCompiler(compiler, [
        ...next.unit.options,
        ...includes,
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
    ...['-shared', ...objects.sort(), `-L${tensorflow}`],
    ...tensorFlowLibraries.map((library) => `-l:${library}`),
    ...[`-Wl,-rpath,${tensorflow}`, '-o', output],
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
