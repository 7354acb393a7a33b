import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

/** The package as npm packs it, in a folder of a user's, beside the packages that it needs. */

const project = resolve(import.meta.dirname, '..', '..');
const execute = promisify(execFile);
const packedSchema = z
  .array(z.object({ files: z.array(z.object({ path: z.string() })) }))
  .length(1)
  .transform(([packed]) => packed?.files.map(({ path }) => path) ?? []);

let folder: string;
let files: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-package-'));
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  const { stdout } = await execute('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: project,
    maxBuffer: 16 * 2 ** 20,
  });
  files = packedSchema.parse(JSON.parse(stdout));
  for (const file of files) {
    const to = join(modules, 'teletrain', file);
    await mkdir(dirname(to), { recursive: true });
    await cp(join(project, file), to);
  }
  for (const name of await readdir(join(project, 'node_modules')))
    if (!name.startsWith('.'))
      await symlink(join(project, 'node_modules', name), join(modules, name));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const installed = (...args: string[]) =>
  execute(process.execPath, [join('node_modules', 'teletrain', 'bin', 'teletrain.mjs'), ...args], {
    cwd: folder,
    env: { ...process.env, TELETRAIN_HOME: join(folder, 'home') },
  });

it('holds every file that its README shows or links to', async () => {
  const readme = await readFile(join(project, 'README.md'), 'utf8');
  const linked = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
  expect(linked.length).toBeGreaterThan(5);
  expect(linked.filter((path) => !files.includes(path))).toEqual([]);
});

it('"teletrain notebook" of the installed package writes the notebook that came with it', async () => {
  await installed('notebook', '--out', 'colab.ipynb');
  const written = await readFile(join(folder, 'colab.ipynb'), 'utf8');
  expect(written === (await readFile(join(project, 'colab', 'teletrain.ipynb'), 'utf8'))).toBe(
    true,
  );
});

it('the installed program starts, and has what its benchmarks and its engine are made of', async () => {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(project, 'package.json'), 'utf8')));
  expect((await installed('--version')).stdout).toBe(`${version}\n`);
  expect((await installed('bench', '--list')).stdout).toContain('report-stack');
  expect(JSON.parse((await installed('workers', '--json')).stdout)).toEqual({ workers: [] });
  expect(files.filter((path) => path.startsWith('worker/native/kernels/'))).not.toEqual([]);
});

it('the examples have types in a folder where the package is installed', async () => {
  for (const name of await readdir(join(project, 'examples')))
    if (name.endsWith('.ts')) await cp(join(project, 'examples', name), join(folder, name));
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2024', strict: true, noEmit: true, skipLibCheck: true },
    types: ['node'],
  };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.ts'] }),
  );
  const compiler = join(project, 'node_modules', '.bin', 'tsc');
  await expect(execute(compiler, ['-p', '.'], { cwd: folder })).resolves.toMatchObject({
    stdout: '',
  });
});
