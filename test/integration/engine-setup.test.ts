import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../worker/native/command.ts';
import { ensureEngine } from '../../worker/native/ensure-engine.ts';
import { fetchTensorFlow } from '../../worker/native/tensorflow-fetched.ts';
import { findPythons } from '../../worker/native/tensorflow-found.ts';
import { ChildOutput } from './support/child-output.ts';

const setUpProgram = resolve('dist/worker/native/set-up.js');
let folder: string;
let programs: string;
let compilations: string;
let realPython: string;
let realTensorFlow: string;

beforeAll(async () => {
  const ensured = await ensureEngine();
  if ('problem' in ensured) throw ensured.problem;
  realTensorFlow = ensured.binding.tensorflow.directory;
  const answer = await runCommand('python3', ['-c', 'import sys; print(sys.executable)']);
  realPython = answer.stdout.trim();
});

const made: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-setup-'));
  made.push(folder);
  programs = join(folder, 'programs');
  compilations = join(folder, 'compilations');
  await mkdir(programs);
});
afterAll(async () => {
  for (const place of made) await rm(place, { recursive: true, force: true });
});

/** Puts a program on the set-up's PATH, which has no other. */
async function giveProgram(name: string, script: string) {
  await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(programs, name), 0o755);
}

const givePython = () => giveProgram('python3', `exec ${realPython} "$@"`);
const giveCompiler = () =>
  giveProgram('g++', `echo "$*" >> ${compilations}\nPATH=/usr/bin:/bin exec /usr/bin/g++ "$@"`);

/** A TensorFlow for PYTHONPATH: importing it fails, finding it does not. */
async function giveTensorFlow(options: { whole: boolean }) {
  const site = join(folder, 'site');
  const target = join(site, 'tensorflow');
  await mkdir(join(target, 'include', 'tensorflow', 'c', 'eager'), { recursive: true });
  await writeFile(join(target, '__init__.py'), 'raise RuntimeError("TensorFlow was imported")\n');
  await mkdir(join(site, 'tensorflow-2.20.0.dist-info'));
  await writeFile(
    join(site, 'tensorflow-2.20.0.dist-info', 'METADATA'),
    'Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.20.0\n',
  );
  if (options.whole) {
    await rm(join(target, 'include'), { recursive: true });
    for (const name of await readdir(realTensorFlow)) {
      if (/^(libtensorflow_.*|include)$/.test(name)) {
        await symlink(join(realTensorFlow, name), join(target, name));
      }
    }
  } else {
    await writeFile(join(target, 'libtensorflow_cc.so.2'), '');
    await writeFile(join(target, 'libtensorflow_framework.so.2'), '');
    await writeFile(join(target, 'include', 'tensorflow', 'c', 'eager', 'c_api.h'), '');
  }
  return { PYTHONPATH: site };
}

/** Runs the set-up with an empty cache, without network, on the programs given. */
async function setUp(
  environment: NodeJS.ProcessEnv = {},
): Promise<{ status: number | null; said: string }> {
  const child = spawn(process.execPath, [setUpProgram], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: programs,
      HOME: folder,
      TELETRAIN_CACHE: join(folder, 'cache'),
      PIP_NO_INDEX: '1',
      ...environment,
    },
  });
  const { code, stderr } = await new ChildOutput(child).ended;
  return { status: code, said: stderr };
}

describe('a machine that cannot have the native engine', () => {
  it('is told of the missing compiler before anything is downloaded', async () => {
    await givePython();
    const { status, said } = await setUp();
    expect(said).toContain('WebAssembly');
    expect(said).toContain('No C++ compiler was found (g++). Install build-essential');
    expect(said).not.toContain('fetching');
    expect(status).toBe(0);
  });

  it('is told of the missing Python', async () => {
    await giveCompiler();
    expect((await setUp()).said).toContain('No Python was found');
  });

  it('is told of a Python without pip', async () => {
    await giveCompiler();
    await giveProgram(
      'python3',
      `echo '{"prefix": "/usr", "directory": null, "version": null, "pip": false}'`,
    );
    expect((await setUp()).said).toMatch(/python3 has no pip.*Install python3-pip/);
  });

  it('is told why TensorFlow could not be fetched', async () => {
    await givePython();
    await giveCompiler();
    const { said } = await setUp();
    expect(said).toMatch(/pip could not fetch tensorflow-cpu 2.20.0: ERROR: .*tensorflow-cpu/);
  });

  it('is told how the compilation failed, beside what else was tried', async () => {
    await givePython();
    await giveCompiler();
    const { said } = await setUp(await giveTensorFlow({ whole: false }));
    expect(said).toMatch(/The engine did not compile: .*error/);
    expect(said).toContain('pip could not fetch');
  });

  it('fails where the native engine is required', async () => {
    const { status, said } = await setUp({ TELETRAIN_REQUIRE_ENGINE: 'native' });
    expect(said).toContain('TELETRAIN_REQUIRE_ENGINE=native cannot be met');
    expect(status).toBe(1);
  });
});

describe('a machine that has TensorFlow', () => {
  it('compiles once against what is found without importing it, for two set-ups at once', {
    timeout: 240_000,
  }, async () => {
    await givePython();
    await giveCompiler();
    const environment = await giveTensorFlow({ whole: true });
    const both = await Promise.all([setUp(environment), setUp(environment)]);
    for (const { said } of both) {
      expect(said).toContain(`engine: native, TensorFlow 2.20.0 (installed, ${folder}/site`);
    }
    expect(both.filter(({ said }) => said.includes('compiling'))).toHaveLength(1);
    const countCompilations = async () =>
      (await readFile(compilations, 'utf8')).trim().split('\n').length;
    const first = await countCompilations();

    const again = await setUp(environment);
    expect(again.said).toContain('engine: native');
    expect(again.said).not.toContain('compiling');
    expect(again.said).not.toContain('looking');
    expect(await countCompilations()).toBe(first);
  });

  it('does not take an addon that compiles but does not work', async () => {
    await givePython();
    // Writes a file that no process can load, whatever it is asked to make.
    await giveProgram('g++', 'for last; do :; done\necho broken > "$last"');
    const { said } = await setUp(await giveTensorFlow({ whole: true }));
    expect(said).toContain('The engine compiled for TensorFlow 2.20.0 does not work');
    const left = await readdir(join(folder, 'cache', 'engine'));
    expect(left.filter((name) => name.startsWith('binding'))).toEqual([]);
  });
});

describe('fetching the wheel', () => {
  const files = {
    'tensorflow/libtensorflow_cc.so.2': 'cc',
    'tensorflow/libtensorflow_framework.so.2': 'framework',
    'tensorflow/include/tensorflow/c/eager/c_api.h': 'header',
    'tensorflow/python/unneeded.py': 'python',
    'tensorflow_cpu-2.20.0.dist-info/METADATA':
      'Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.20.0\n',
    'tensorflow_cpu-2.20.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\n',
    'tensorflow_cpu-2.20.0.dist-info/RECORD': '',
  };
  const wheelName = 'tensorflow_cpu-2.20.0-cp313-cp313-manylinux_2_17_x86_64.whl';
  const saved = { ...process.env };

  async function makeWheel(place: string) {
    await mkdir(place, { recursive: true });
    const script =
      'import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as wheel:\n' +
      '    for name, text in json.loads(sys.argv[2]).items(): wheel.writestr(name, text)';
    const wheel = join(place, wheelName);
    const result = await runCommand(realPython, ['-c', script, wheel, JSON.stringify(files)]);
    expect(result.status, result.stderr).toBe(0);
    return wheel;
  }

  beforeEach(() => {
    Object.assign(process.env, { PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(folder, 'links') });
  });
  afterAll(() => {
    for (const name of ['PIP_NO_INDEX', 'PIP_FIND_LINKS']) {
      const value = saved[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  const fetch = async (steps: string[] = []) =>
    fetchTensorFlow(join(folder, 'engine'), await findPythons(), ({ step }) => steps.push(step));

  it('unpacks the libraries and headers alone and removes the wheel', async () => {
    await makeWheel(join(folder, 'links'));
    const install = await fetch();
    expect((await readdir(install.directory)).sort()).toEqual([
      'include',
      'libtensorflow_cc.so.2',
      'libtensorflow_framework.so.2',
    ]);
    expect(await readdir(join(folder, 'engine', 'downloads'))).toEqual([]);
  });

  it('goes on from a wheel that was downloaded whole, and from a broken unpacking', async () => {
    await makeWheel(join(folder, 'engine', 'downloads'));
    await mkdir(join(folder, 'engine', `tensorflow-2.20.0-${process.arch}.partial`, 'junk'), {
      recursive: true,
    });
    const steps: string[] = [];
    await fetch(steps);
    expect(steps).toEqual(['unpack']);
    expect((await readdir(join(folder, 'engine'))).sort()).toEqual([
      'downloads',
      `tensorflow-2.20.0-${process.arch}`,
    ]);
  });

  it('never uses a damaged wheel, and fetches it anew the next time', async () => {
    await writeFile(await makeWheel(join(folder, 'engine', 'downloads')), 'not a zip');
    await expect(fetch()).rejects.toMatchObject({ code: 'tensorflow-unavailable' });
    await makeWheel(join(folder, 'links'));
    const steps: string[] = [];
    await fetch(steps);
    expect(steps).toEqual(['download', 'unpack']);
  });
});
