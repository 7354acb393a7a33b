import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TeletrainError } from '../../shared/errors.ts';

/** A file given to the compiler, with the options that it is compiled with. */
export interface SourceUnit {
  readonly file: string;
  readonly options: readonly string[];
}

/** What the addon is made from: tfjs-node's binding and our kernels. */
export interface BindingSources {
  readonly units: readonly SourceUnit[];
  /** Folder of Node-API's headers. */
  readonly headers: string;
  /** Of everything that the addon is made from, but not of where it lies: every clone shares it. */
  readonly hash: string;
}

const require = createRequire(import.meta.url);
const commonOptions = ['-fPIC', '-std=c++17'];
const bindingOptions = [...commonOptions, '-O2', '-DNAPI_VERSION=8'];
const kernelOptions = [
  ...commonOptions,
  '-O3',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-Wno-psabi',
];

/**
 * What an instruction set's file may use of an x86-64 processor. The addon runs its code only where
 * the processor has that; all other files run anywhere.
 */
const instructionSetOptions: Partial<Record<string, readonly string[]>> = {
  'avx2.cc': ['-mavx2', '-mfma'],
  'avx512.cc': ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mfma'],
};

/** @throws TeletrainError `engine-packages-missing`. */
export async function findBindingSources(): Promise<BindingSources> {
  let binding: string;
  let headers: string;
  try {
    const packageFile = require.resolve('@tensorflow/tfjs-node-gpu/package.json');
    binding = join(dirname(packageFile), 'binding');
    headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  } catch (cause) {
    throw new TeletrainError(
      'engine-packages-missing',
      'The native engine’s packages are not installed.',
      { hint: 'Install teletrain with its optional dependencies.', cause },
    );
  }
  const [kernelFiles, bindingFiles, headerFiles] = await Promise.all(
    [kernelFolder(), binding, headers].map(listSources),
  );
  const units = [
    // First those that take longest to compile.
    ...unitsOf(kernelFiles, kernelUnitOptions),
    ...unitsOf(bindingFiles, () => bindingOptions),
  ];
  const files = [kernelFiles, bindingFiles, headerFiles].flatMap((found) => found ?? []);
  return { units, headers, hash: await hashOf(files, units) };
}

/** The folder of our kernels, seen from this file among the sources or in `dist`. */
function kernelFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const compiled = join('dist', 'worker', 'native');
  const project = here.endsWith(compiled)
    ? here.slice(0, -compiled.length)
    : join(here, '..', '..');
  return join(project, 'worker', 'native', 'kernels');
}

async function listSources(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** The files that are compiled, and not those for another architecture, which have no options. */
function unitsOf(
  files: readonly string[] | undefined,
  optionsOf: (file: string) => readonly string[] | undefined,
): SourceUnit[] {
  return (files ?? []).flatMap((file) => {
    const options = file.endsWith('.cc') ? optionsOf(file) : undefined;
    return options === undefined ? [] : [{ file, options }];
  });
}

function kernelUnitOptions(file: string): readonly string[] | undefined {
  const more = instructionSetOptions[basename(file)];
  if (more === undefined) return kernelOptions;
  return process.arch === 'x64' ? [...kernelOptions, ...more] : undefined;
}

async function hashOf(files: readonly string[], units: readonly SourceUnit[]): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify(units.map(({ file, options }) => [basename(file), options])));
  for (const file of files) hash.update(basename(file)).update(await readFile(file));
  return hash.digest('hex');
}
