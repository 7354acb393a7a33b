import { type ChildProcess, spawn } from 'node:child_process';
import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram, runCommand } from '../../worker/native/command.ts';
import { type ChildEnd, ChildOutput } from './support/child-output.ts';

const project = resolve(import.meta.dirname, '..', '..');
const made: string[] = [];

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'teletrain-launcher-'));
  made.push(folder);
  return folder;
}
afterAll(async () => {
  for (const folder of made) await rm(folder, { recursive: true, force: true });
});

/** PATH without this project's own Node, which npm or the launcher put first. */
const machinePath = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

/** The machine's Node where it is older than what teletrain needs. */
async function findOldNode(): Promise<string | undefined> {
  const node = await findProgram(['node'], { PATH: machinePath });
  const version = node && (await runCommand(node, ['--version'])).stdout;
  return version && Number(/^v(\d+)/.exec(version)?.[1]) < 22 ? node : undefined;
}

interface Launched {
  readonly child: ChildProcess;
  readonly ended: Promise<ChildEnd>;
  readonly said: () => string;
}

function launch(
  node: string,
  folder: string,
  args: string[],
  environment: NodeJS.ProcessEnv = {},
): Launched {
  const { npm_execpath: _, npm_config_omit: __, ...own } = process.env;
  const child = spawn(node, [join(folder, 'bin', 'teletrain.mjs'), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...own, PATH: machinePath, ...environment },
  });
  const output = new ChildOutput(child);
  return { child, ended: output.ended, said: () => output.stdout };
}

/** A published package whose program is this script: `bin/` and `dist/`, no sources. */
async function publish(script: string): Promise<string> {
  const folder = await makeFolder();
  await cp(join(project, 'bin'), join(folder, 'bin'), { recursive: true });
  await cp(join(project, 'package.json'), join(folder, 'package.json'));
  await mkdir(join(folder, 'dist', 'client', 'cli'), { recursive: true });
  await writeFile(join(folder, 'dist', 'client', 'cli', 'main.js'), script);
  return folder;
}

const oldNode = await findOldNode();
const nodes = [process.execPath, ...(oldNode ? [oldNode] : [])];
if (oldNode === undefined) {
  console.warn('not checked: the launcher under an old Node; this machine’s PATH has none');
}

describe.each(nodes)('the published program under %s', (node) => {
  let folder: string;
  const start = (args: string[]) => launch(node, folder, args);
  beforeAll(async () => {
    folder = await publish(`
      const [what, ...rest] = process.argv.slice(2);
      if (what === 'exit') process.exit(Number(rest[0]));
      if (what === 'node') console.log(process.version, process.env.PATH);
      if (what === 'arguments') console.log(JSON.stringify(rest));
      if (what === 'wait') {
        process.on('SIGTERM', () => process.exit(42));
        process.on('SIGINT', () => process.exit(43));
        setInterval(() => {}, 1000);
        console.log('waiting');
      }
      if (what === 'die') process.kill(process.pid, 'SIGKILL');
    `);
    await symlink(join(project, 'node_modules'), join(folder, 'node_modules'));
  });

  it('runs on a Node that is new enough, found first in PATH', async () => {
    const { stdout } = await start(['node']).ended;
    const [version, path] = stdout.trim().split(' ');
    expect(Number(/^v(\d+)/.exec(version ?? '')?.[1])).toBeGreaterThanOrEqual(22);
    const first = path?.split(delimiter)[0] ?? '';
    expect((await runCommand(join(first, 'node'), ['--version'])).stdout.trim()).toBe(version);
  });

  it('gets its arguments as they are', async () => {
    const args = ['--set', 'a b=c', "it's", '', '--json'];
    const { stdout } = await start(['arguments', ...args]).ended;
    expect(JSON.parse(stdout)).toEqual(args);
  });

  it('gives its exit code', async () => {
    expect((await start(['exit', '3']).ended).code).toBe(3);
    expect((await start(['exit', '0']).ended).code).toBe(0);
  });

  it.each([
    ['SIGTERM', 42],
    ['SIGINT', 43],
  ] as const)('gets %s', async (signal, status) => {
    const { child, ended, said } = start(['wait']);
    await expect.poll(said).toContain('waiting');
    child.kill(signal);
    expect((await ended).code).toBe(status);
  });

  it('ends by the signal that ended it', async () => {
    expect((await start(['die']).ended).signal).toBe('SIGKILL');
  });
});

describe('the published program where nothing new enough is', () => {
  it('says which Node it needs', async ({ annotate }) => {
    if (oldNode === undefined) {
      await annotate('not checked: this machine has no Node older than 22');
      return;
    }
    const folder = await publish('console.log("ran")');
    const { code, stdout, stderr } = await launch(oldNode, folder, []).ended;
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('teletrain needs Node 22 or newer, and this is v');
    expect(stderr).not.toContain('    at ');
  });
});

const sources = ['bin', 'shared', 'worker', 'client', 'colab'];
const settings = [
  ...['package.json', 'package-lock.json', '.npmrc'],
  ...['tsconfig.json', 'tsconfig.declarations.json'],
];

async function cloneProject(): Promise<string> {
  const folder = await makeFolder();
  for (const name of [...sources, ...settings]) {
    await cp(join(project, name), join(folder, name), { recursive: true });
  }
  return folder;
}

describe('the program in a clone', () => {
  let folder: string;
  const node = oldNode ?? process.execPath;
  const version = () => launch(node, folder, ['--version']).ended;
  const stamp = async () => (await stat(join(folder, 'dist', '.sources'))).mtimeMs;
  beforeAll(async () => {
    folder = await cloneProject();
    await symlink(join(project, 'node_modules'), join(folder, 'node_modules'));
  });

  it('compiles itself the first time and not the second', async () => {
    expect((await version()).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
    const first = await stamp();
    expect((await version()).code).toBe(0);
    expect(await stamp()).toBe(first);
  });

  it('compiles itself again when a source is newer, and forgets a removed one', async () => {
    const extra = join(folder, 'shared', 'extra.ts');
    await writeFile(extra, 'export const extra = 1;\n');
    await version();
    expect(await readFile(join(folder, 'dist', 'shared', 'extra.js'), 'utf8')).toContain('extra');
    await rm(extra);
    await version();
    await expect(stat(join(folder, 'dist', 'shared', 'extra.js'))).rejects.toThrow('ENOENT');
    const before = await stamp();
    const later = new Date(Date.now() + 10_000);
    await utimes(join(folder, 'shared', 'errors.ts'), later, later);
    await version();
    expect(await stamp()).toBeGreaterThan(before);
  });

  it('compiles once for two starts at once', async () => {
    await rm(join(folder, 'dist'), { recursive: true });
    const both = await Promise.all([version(), version()]);
    expect(both.map(({ code, stderr }) => [code, stderr.includes('Error')])).toEqual([
      [0, false],
      [0, false],
    ]);
  });

  it('shows a source that does not compile, without a stack', async () => {
    const broken = join(folder, 'shared', 'broken.ts');
    await writeFile(broken, 'export const = 1;\n');
    const { code, stderr } = await version();
    expect(code).toBe(1);
    expect(stderr).toContain('shared/broken.ts');
    expect(stderr).not.toContain('    at ');
    await rm(broken);
  });
});

describe('a laptop’s clone without the engine', () => {
  it('installs no optional package but the compiler, starts, and says what it lacks', {
    timeout: 300_000,
  }, async () => {
    const folder = await cloneProject();
    const npm = ['ci', '--omit=optional', '--include=dev', '--no-audit', '--no-fund'];
    const installed = await runCommand('npm', ['--prefix', folder, ...npm], { timeout: 240_000 });
    expect(installed.status, installed.stderr).toBe(0);

    const first = await launch(process.execPath, folder, ['--version']).ended;
    expect(first.stderr).toContain(`@typescript/typescript-${process.platform}-${process.arch}`);
    expect([first.code, first.stdout.trim()]).toEqual([0, '0.1.0']);
    await expect(stat(join(folder, 'node_modules', '@tensorflow'))).rejects.toThrow('ENOENT');

    // The choice is seen in what is installed, and kept without being repeated.
    const second = await launch(process.execPath, folder, ['--version']).ended;
    expect([second.code, second.stderr]).toEqual([0, '']);

    const doctor = join(folder, 'dist', 'worker', 'native', 'doctor.js');
    const report = JSON.parse((await runCommand(process.execPath, [doctor])).stdout);
    expect(report.engine).toBeNull();
    expect(report.engineProblem.code).toBe('engine-packages-missing');
  });
});
