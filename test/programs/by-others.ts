/**
 * Runs three programs that others wrote for tfjs on a worker's engine, not a letter of them changed:
 * their files are fetched from tensorflow/tfjs-examples at one commit and held to their hashes.
 *
 *     node test/programs/by-others.ts [--from CLONE] [--only addition-rnn|mnist-node|abalone-node]
 *
 * `--from` names a clone of that repository, in place of the network. A local worker is started where
 * none runs. MNIST's four files are taken from TELETRAIN_DATA where it has them, else the program
 * downloads them as it always did. Each program's last words are printed; what it should have
 * reached and did not is told with exit code 1.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { ChildOutput } from '../integration/support/child-output.ts';

const commit = '0521725666e4504948eed00fe372b92510cc74f9';
const source = `https://raw.githubusercontent.com/tensorflow/tfjs-examples/${commit}`;

interface Program {
  readonly name: string;
  /** Files, and the SHA-256 of each. */
  readonly files: Readonly<Record<string, string>>;
  /** npm packages of its own, as its package.json asks for them; tfjs is ours. */
  readonly packages: readonly string[];
  readonly arguments: readonly string[];
  /** Started before it, beside `teletrain/register`. */
  readonly preload?: string;
  /** Makes of its files what its own build makes of them. @returns what Node starts. */
  readonly prepare: (folder: string) => Promise<string>;
  /** A number among its last words, and the least that it must be. */
  readonly reached: { readonly pattern: RegExp; readonly atLeast: number; readonly of: string };
}

const programs: readonly Program[] = [
  {
    name: 'addition-rnn',
    files: { 'index.js': '0374eb123e2790a3207a5e7b7455155b51caea57906587e97f3dae86d7c0629a' },
    packages: [],
    arguments: [],
    preload: fileURLToPath(new URL('./page-of-addition-rnn.ts', import.meta.url)),
    prepare: async () => 'index.js',
    reached: { pattern: /validation accuracy ([\d.]+)/g, atLeast: 0.6, of: 'validation accuracy' },
  },
  {
    name: 'mnist-node',
    files: {
      'main.js': '588a7d9b3c18c8f6f37438e49edd0d275aa80787463495487d5a9a491d0c7499',
      'model.js': '4971f5cdc82d7becb89609546510a0fab9db9f5ad7e9c0322e8eeee638cadb2f',
      'data.js': '2b18385a00011660e874e512d2322fc337f50b6b6f1fa00bd231dc1073677b4b',
    },
    packages: ['argparse@2.0.1'],
    arguments: ['--epochs', '1', '--model_save_path', './saved'],
    prepare: async (folder) => {
      await provideMnist(folder);
      return 'main.js';
    },
    reached: { pattern: /Accuracy = ([\d.]+)/g, atLeast: 0.97, of: 'test accuracy' },
  },
  {
    name: 'abalone-node',
    files: {
      'train.js': 'c83c32472bf3350a4cddf596f7a683513b07d3047f8538788a943c9a45c59655',
      'data.js': '8cd866fcae60423a42beb00fd77be73b4f63a1db45ebf84dd8fc6c200caaa929',
      'model.js': 'af8eccca393af2398bbf7c7db2ab40f193ac500c55a8c97f1d9792a6569b6a0a',
      'abalone.csv': 'ffcdfd7eb2758d9bfdc675d4b80b1be22bc68dd497c2df96f7e384ac5b090527',
    },
    packages: ['argparse@1.0.10'],
    arguments: ['--epochs', '30'],
    preload: fileURLToPath(new URL('./download-of-abalone-node.ts', import.meta.url)),
    prepare: async (folder) => {
      await rename(join(folder, 'abalone.csv'), join(folder, 'downloaded.csv'));
      return 'train.js';
    },
    // The shell's rings are 10; without any training it says about 0.
    reached: { pattern: /model is ([\d.]+)/g, atLeast: 7, of: 'rings of an abalone that has 10' },
  },
];

const { values: options } = parseArgs({
  options: { from: { type: 'string' }, only: { type: 'string' } },
});
const repository = resolve(import.meta.dirname, '../..');
const preload = join(repository, 'client/register.ts');

for (const program of programs) {
  if (options.only === undefined || options.only === program.name) await runProgram(program);
}

async function runProgram(program: Program): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `teletrain-${program.name}-`));
  try {
    for (const [file, sha256] of Object.entries(program.files)) {
      const bytes = await obtain(`${program.name}/${file}`);
      const found = createHash('sha256').update(bytes).digest('hex');
      if (found !== sha256) throw new Error(`${program.name}/${file} is not the one that was read`);
      await writeFile(join(folder, file), bytes);
    }
    if (program.packages.length > 0) {
      const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
      await promisify(execFile)('npm', [...install, ...program.packages], { cwd: folder });
    }
    const main = await program.prepare(folder);
    const preloads = [...(program.preload ? [program.preload] : []), preload];
    const imports = preloads.flatMap((path) => ['--import', path]);
    const start = performance.now();
    const child = spawn(process.execPath, [...imports, main, ...program.arguments], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { code, stdout } = await new ChildOutput(child).ended;
    judge(program, code, stdout, (performance.now() - start) / 1_000);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function judge(
  { name, reached }: Program,
  code: number | null,
  said: string,
  seconds: number,
): void {
  const matches = [...said.matchAll(reached.pattern)];
  const last = Number(matches.at(-1)?.[1]);
  const value = Number.isNaN(last) ? matches.length : last;
  const passed = code === 0 && value >= reached.atLeast;
  console.log(`${name}: ${value} ${reached.of}, in ${seconds.toFixed(0)} s`);
  if (passed) return;
  console.error(said.trim().split('\n').slice(-20).join('\n'));
  console.error(`${name}: ended with code ${code}; at least ${reached.atLeast} was expected.`);
  process.exitCode = 1;
}

async function obtain(path: string): Promise<Buffer> {
  if (options.from === undefined) {
    const response = await fetch(`${source}/${path}`);
    if (!response.ok) throw new Error(`${source}/${path}: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }
  const git = ['-C', options.from, 'show', `${commit}:${path}`];
  const { stdout } = await promisify(execFile)('git', git, { encoding: 'buffer' });
  return stdout;
}

async function provideMnist(folder: string): Promise<void> {
  const files = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];
  for (const file of files.map((name) => `${name}-ubyte`)) {
    const packed = join(process.env.TELETRAIN_DATA ?? '', `${file}.gz`);
    if (!existsSync(packed)) continue;
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, gunzipSync(await readFile(packed)));
  }
}
