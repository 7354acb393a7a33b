import { mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { lastWords, runCommand } from './command.ts';
import { folderBytes } from './folder-bytes.ts';
import type { OnSetupProgress } from './progress.ts';
import { type PythonFound, type TensorFlowInstall, whyUnusable } from './tensorflow-found.ts';

/**
 * The TensorFlow that is fetched where none is installed: the one measured, and Colab's. Against
 * 2.19.1 and 2.21.0 the addon also compiled, passed its check and ran BlockLSTMV2 (Linux x86-64).
 */
const version = '2.20.0';

// The wheel's Python files are never run, so its Python version is of no account; this one has
// wheels for the pinned TensorFlow.
const wheelPython = '3.13';
const wheelPlatform = 'manylinux_2_17_x86_64';
const wheelBytes = 259.1e6;
/** The wheel, here and in pip's own cache, beside what is unpacked of it (1.0 GB), and some room. */
const neededBytes = 1.9e9;

// Only the libraries and the headers are unpacked: a third of the wheel's files are for Python.
const unpackScript = `
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
function fetchedFolder(engineCache: string): string {
  return join(engineCache, `tensorflow-${version}-${process.arch}`);
}

/** The TensorFlow fetched earlier, or undefined. */
export async function findFetched(engineCache: string): Promise<TensorFlowInstall | undefined> {
  const directory = join(fetchedFolder(engineCache), 'tensorflow');
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
): Promise<TensorFlowInstall> {
  requireWheelPlatform();
  const python = requirePip(pythons);
  await mkdir(engineCache, { recursive: true });
  await checkFreeDisk(engineCache);
  const downloads = join(engineCache, 'downloads');
  const wheel = (await findWheel(downloads)) ?? (await download(python, downloads, onProgress));
  onProgress({ step: 'unpack', message: `unpacking TensorFlow ${version}` });
  await unpack(python, wheel, fetchedFolder(engineCache));
  await rm(wheel, { force: true });
  const install = await findFetched(engineCache);
  if (install !== undefined) return install;
  throw unavailable(`The TensorFlow ${version} wheel lacks its libraries or headers.`);
}

async function download(
  python: PythonFound,
  folder: string,
  onProgress: OnSetupProgress,
): Promise<string> {
  // pip's own temporary folder moves to the disk that has room, where its growth can be watched.
  const temporary = join(folder, 'partial');
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  const stopWatching = watchDownload(temporary, onProgress);
  try {
    const result = await runCommand(
      python.program,
      [
        ...['-m', 'pip', 'download', '--disable-pip-version-check', '--no-input'],
        ...['--no-deps', '--only-binary=:all:', '--progress-bar=off'],
        ...['--python-version', wheelPython, '--platform', wheelPlatform],
        ...['--dest', folder, `tensorflow-cpu==${version}`],
      ],
      { timeout: 3_600_000, environment: { ...process.env, TMPDIR: temporary } },
    );
    const wheel = result.status === 0 ? await findWheel(folder) : undefined;
    if (wheel !== undefined) return wheel;
    throw unavailable(`pip could not fetch tensorflow-cpu ${version}: ${lastWords(result)}`);
  } finally {
    stopWatching();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Tells of every tenth that arrives, until the function returned is called. */
function watchDownload(folder: string, onProgress: OnSetupProgress): () => void {
  const megabytes = Math.round(wheelBytes / 1e6);
  const tell = (tenths: number) => {
    const share = tenths === 0 ? 'once' : `${tenths * 10} %`;
    onProgress({
      step: 'download',
      message: `fetching TensorFlow ${version} (${megabytes} MB, ${share})`,
      fraction: tenths / 10,
    });
  };
  let told = 0;
  tell(0);
  const timer = setInterval(async () => {
    const bytes = await folderBytes(folder);
    const tenths = Math.min(9, Math.floor((bytes / wheelBytes) * 10));
    if (tenths <= told) return;
    told = tenths;
    tell(tenths);
  }, 500);
  return () => clearInterval(timer);
}

/** Unpacks beside the target and renames, so that the target is always whole. */
async function unpack(python: PythonFound, wheel: string, target: string): Promise<void> {
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const result = await runCommand(python.program, ['-c', unpackScript, wheel, partial], {
    timeout: 600_000,
  });
  if (result.status !== 0) {
    // A wheel that cannot be read must not be found again by the next try.
    await rm(wheel, { force: true });
    await rm(partial, { recursive: true, force: true });
    throw unavailable(`The TensorFlow wheel could not be unpacked: ${lastWords(result)}`);
  }
  await rm(target, { recursive: true, force: true });
  await rename(partial, target);
}

function unavailable(message: string, hint?: string): TeletrainError {
  return new TeletrainError('tensorflow-unavailable', message, {
    hint:
      hint ??
      'Check the network, or install TensorFlow for one of your Pythons (pip install tensorflow-cpu) and try again.',
  });
}

/** @throws TeletrainError `tensorflow-unavailable` on a machine that no wheel is made for. */
export function requireWheelPlatform(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw unavailable(
      `No TensorFlow wheel is known for ${process.platform} on ${process.arch}.`,
      'Use the WebAssembly engine here, or a worker on Linux x86-64 or in Colab.',
    );
  }
  if (!isGlibc()) {
    throw unavailable(
      'TensorFlow has no wheel for a Linux without glibc (Alpine).',
      'Use the WebAssembly engine here, or a worker on a glibc Linux or in Colab.',
    );
  }
}

/** A Python whose pip can fetch the wheel. */
function requirePip(pythons: readonly PythonFound[]): PythonFound {
  if (pythons.length === 0) {
    throw unavailable(
      'No Python was found, and its pip is what fetches TensorFlow.',
      'Install python3 and python3-pip and try again.',
    );
  }
  const python = pythons.find(({ hasPip }) => hasPip);
  if (python !== undefined) return python;
  const programs = pythons.map(({ program }) => program).join(', ');
  throw unavailable(
    `${programs} has no pip, which fetches TensorFlow.`,
    'Install python3-pip and try again.',
  );
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

async function findWheel(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  const name = names.find(
    (candidate) => candidate.startsWith(`tensorflow_cpu-${version}-`) && candidate.endsWith('.whl'),
  );
  return name && join(folder, name);
}
