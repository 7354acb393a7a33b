import { mkdir, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { lastWords, runCommand } from './command.ts';
import type { OnSetupProgress } from './progress.ts';
import { type PythonFound, type TensorFlowInstall, whyUnusable } from './tensorflow-found.ts';

/** The TensorFlow that is fetched where none is installed: the one measured, and Colab's. */
export const pinnedTensorFlow = '2.20.0';

// The wheel's Python files are never run, so its Python version is of no account; this one has
// wheels for the pinned TensorFlow.
const wheelPython = '3.13';
const wheelPlatform = 'manylinux_2_17_x86_64';
/** The wheel (0.26 GB) beside what is unpacked of it (1.0 GB), with room to spare. */
const neededBytes = 1.6e9;

// Only the libraries and the headers are unpacked: a third of the wheel's files are for Python.
const unpack = `
import sys, zipfile
source, target = sys.argv[1:]
with zipfile.ZipFile(source) as wheel:
    for name in wheel.namelist():
        kept = name.startswith('tensorflow/include/') or name in (
            'tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2')
        if kept and '..' not in name:
            wheel.extract(name, target)
`;

/** Where this machine's fetched TensorFlow lies, or would. */
export function fetchedDirectory(engineCache: string, version = pinnedTensorFlow): string {
  return join(engineCache, `tensorflow-${version}-${process.arch}`);
}

/** The TensorFlow fetched earlier, or undefined. */
export async function findFetched(
  engineCache: string,
  version = pinnedTensorFlow,
): Promise<TensorFlowInstall | undefined> {
  const directory = join(fetchedDirectory(engineCache, version), 'tensorflow');
  if ((await whyUnusable(directory)) !== undefined) return undefined;
  return { directory, version, origin: 'fetched', builtWithCuda: false };
}

/**
 * Downloads `tensorflow-cpu` with the user's pip into the cache and unpacks its libraries. A wheel
 * already downloaded whole is not downloaded again; the result appears under its name only when
 * it is complete.
 * @throws TeletrainError `tensorflow-unavailable` with the reason and what to do.
 */
export async function fetchTensorFlow(
  engineCache: string,
  pythons: readonly PythonFound[],
  onProgress: OnSetupProgress,
  version = pinnedTensorFlow,
): Promise<TensorFlowInstall> {
  const python = pythons.find((candidate) => candidate.hasPip);
  const obstacle = whyNoWheel(pythons, python);
  if (obstacle !== undefined) throw obstacle;
  if (python === undefined) throw new TypeError('whyNoWheel lets a machine without pip pass');

  await mkdir(engineCache, { recursive: true });
  await checkFreeDisk(engineCache);
  const downloads = join(engineCache, 'downloads');
  const wheel = (await findWheel(downloads, version)) ?? (await download(python, downloads));

  onProgress({ step: 'unpack', message: `unpacking TensorFlow ${version}` });
  const target = fetchedDirectory(engineCache, version);
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const unpacked = await runCommand(python.program, ['-c', unpack, wheel, partial], {
    timeout: 600_000,
  });
  if (unpacked.status !== 0) {
    // A wheel that cannot be read must not be found again by the next try.
    await rm(wheel, { force: true });
    await rm(partial, { recursive: true, force: true });
    throw unavailable(`The TensorFlow wheel could not be unpacked: ${lastWords(unpacked)}.`);
  }
  await writeFile(join(partial, 'wheel.txt'), `${wheel.split('/').at(-1)}\n`);
  await rm(target, { recursive: true, force: true });
  await rename(partial, target);
  await rm(wheel, { force: true });
  const install = await findFetched(engineCache, version);
  if (install === undefined) {
    throw unavailable(`The TensorFlow ${version} wheel lacks its libraries or headers.`);
  }
  return install;

  async function download(from: PythonFound, folder: string): Promise<string> {
    const message = `fetching TensorFlow ${version} (259 MB, once)`;
    onProgress({ step: 'download', message });
    const result = await runCommand(
      from.program,
      [
        ...['-m', 'pip', 'download', '--disable-pip-version-check', '--no-input'],
        ...['--no-deps', '--only-binary=:all:', '--progress-bar=off'],
        ...['--python-version', wheelPython, '--platform', wheelPlatform],
        ...['--dest', folder, `tensorflow-cpu==${version}`],
      ],
      { timeout: 1_800_000 },
    );
    const path = result.status === 0 ? await findWheel(folder, version) : undefined;
    if (path === undefined) {
      throw unavailable(`pip could not fetch tensorflow-cpu ${version}: ${lastWords(result)}.`);
    }
    return path;
  }
}

function unavailable(message: string, hint?: string): TeletrainError {
  return new TeletrainError('tensorflow-unavailable', message, {
    hint:
      hint ??
      'Check the network, or install TensorFlow for one of your Pythons (pip install tensorflow-cpu) and try again.',
  });
}

function whyNoWheel(
  pythons: readonly PythonFound[],
  python: PythonFound | undefined,
): TeletrainError | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return unavailable(
      `No TensorFlow wheel is known for ${process.platform} on ${process.arch}.`,
      'Use the WebAssembly engine here, or a worker on Linux x86-64 or in Colab.',
    );
  }
  if (!isGlibc()) {
    return unavailable(
      'TensorFlow has no wheel for a Linux without glibc (Alpine).',
      'Use the WebAssembly engine here, or a worker on a glibc Linux or in Colab.',
    );
  }
  if (pythons.length === 0) {
    return unavailable(
      'No Python was found, and its pip is what fetches TensorFlow.',
      'Install python3 and python3-pip and try again.',
    );
  }
  if (python === undefined) {
    return unavailable(
      `${pythons.map((found) => found.program).join(', ')} has no pip, which fetches TensorFlow.`,
      'Install python3-pip and try again.',
    );
  }
  return undefined;
}

function isGlibc(): boolean {
  const report: unknown = process.report.getReport();
  return JSON.stringify(report).includes('"glibcVersionRuntime"');
}

async function checkFreeDisk(folder: string): Promise<void> {
  const disk = await statfs(folder);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= neededBytes) return;
  throw unavailable(
    `TensorFlow needs ${(neededBytes / 1e9).toFixed(1)} GB in ${folder}, and ${(freeBytes / 1e9).toFixed(1)} GB are free.`,
    'Free some disk space, or set TELETRAIN_CACHE to a folder on a larger disk.',
  );
}

async function findWheel(folder: string, version: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  const name = names.find(
    (candidate) => candidate.startsWith(`tensorflow_cpu-${version}-`) && candidate.endsWith('.whl'),
  );
  if (name === undefined) return undefined;
  const path = join(folder, name);
  return (await stat(path)).size > 0 ? path : undefined;
}
