import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Unzipped, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildNotebook } from '../../colab/build-notebook.ts';
import { findProgram } from '../../worker/native/command.ts';
import { peersPython } from '../peers/python.ts';
import { teletrain } from './support/command.ts';
import { NotebookProcess } from './support/notebook-process.ts';
import { pathWithoutNode } from './support/path-without-node.ts';

const project = resolve(import.meta.dirname, '..', '..');
const python = peersPython();
const gpuTools = await findProgram(['nvidia-smi']);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-notebook-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

it('the notebook in colab/ is what "teletrain notebook" writes', async () => {
  const file = join(folder, 'again.ipynb');
  const { code } = await teletrain(['notebook', '--out', file], { home: folder });
  expect(code).toBe(0);
  const committed = await readFile(join(project, 'colab', 'teletrain.ipynb'), 'utf8');
  const made = await readFile(file, 'utf8');
  const hint = 'make it anew: npx teletrain notebook --out colab/teletrain.ipynb';
  expect(differences(committed, made), hint).toEqual([]);
  expect(made === committed, hint).toBe(true);
  expect(Buffer.byteLength(committed)).toBeLessThan(1_500_000);
});

if (python) {
  describe('the notebook in a real Jupyter kernel, where PATH has no Node', () => {
    executed(python);
  });
} else {
  it('the notebook could not be executed here', () => {
    console.warn(
      'NOT CHECKED: that the notebook runs in a Jupyter kernel. Missing: Python with nbclient and ipykernel (TELETRAIN_PEERS_PYTHON).',
    );
  });
}

function executed(kernelPython: string): void {
  it('states the terms, starts a worker, lets a client train and ends it when interrupted', async () => {
    const { port, notebook, environment } = await prepare(kernelPython);
    await using cell = new NotebookProcess({ python: kernelPython, notebook, folder, environment });

    const [, url = '', pairingCode = ''] = await cell.printed(
      /teletrain connect (\S+) --code (\S+) --name colab/,
    );
    expect(cell.text.indexOf("Colab's terms")).toBeLessThan(cell.text.indexOf('Installing Node'));
    expect(cell.text).toContain('Installing Node 24.19.0');
    expect(url).toBe(`ws://127.0.0.1:${port}`);

    const home = join(folder, 'laptop');
    const run = (...args: string[]) => teletrain(args, { home });
    const connected = await run('connect', url, '--code', pairingCode, '--name', 'colab');
    expect(connected.stderr).toContain('--on colab');
    expect(connected.code).toBe(0);
    const trained = await run('run', 'digits-pixel-cnn-report', '--quick', '--on', 'colab');
    expect(trained.stderr).toBe('connecting to "colab"\n');
    expect(trained.code).toBe(0);
    expect(trained.stdout).toMatch(/^epoch (\d+)\/\1 {2}(\d+)\/\2 .* loss .* validation loss/m);
    const copy = join(folder, 'checkpoint');
    expect((await run('checkpoints', 'get', 'last', '--to', copy)).code).toBe(0);
    expect((await run('checkpoints', 'verify', copy)).code).toBe(0);
    await cell.printed(/idle \| 0 clients/);

    cell.interrupt();
    expect(await cell.ended).toBe('ok');
    expect(cell.text).toContain('The worker is stopped.');
    expect(await canConnect(port)).toBe(false);
    expect((await run('workers', '--json')).stdout).toContain('worker-lost');
    await expectNoToken(cell.text, home);
  }, 280_000);

  if (gpuTools) {
    it('what it says without a GPU could not be checked here', () => {
      console.warn(
        `NOT CHECKED: that the notebook says there is no GPU where one is required. In the way: ${gpuTools}.`,
      );
    });
    return;
  }

  it('says in two lines, without a stack, that there is no GPU where one is required', async () => {
    const { environment } = await prepare(kernelPython);
    const notebook = join(folder, 'gpu.ipynb');
    await writeFile(notebook, withFields(await buildNotebook(project), { way_in: '"none"' }));
    await using cell = new NotebookProcess({ python: kernelPython, notebook, folder, environment });
    expect(await cell.ended).toBe('error');
    expect(cell.text).toContain('This runtime has no GPU.');
    expect(cell.text).toContain('turn require_gpu off');
    expect(cell.text).not.toContain('Traceback');
  });
}

async function prepare(kernelPython: string) {
  const port = await freePort();
  const notebook = join(folder, `${port}.ipynb`);
  const fields = { require_gpu: 'False', way_in: '"none"', port: String(port) };
  await writeFile(notebook, withFields(await buildNotebook(project), fields));
  const path = await pathWithoutNode(await mkdtemp(join(folder, 'path-')));
  expect(await findProgram(['node'], { PATH: path })).toBeUndefined();
  const home = join(folder, 'vm');
  await mkdir(home, { recursive: true });
  const environment = {
    ...process.env,
    PATH: path,
    TELETRAIN_HOME: home,
    TELETRAIN_PYTHON: kernelPython,
    JUPYTER_RUNTIME_DIR: join(folder, 'jupyter'),
    IPYTHONDIR: join(folder, 'ipython'),
  };
  return { port, notebook, environment };
}

/** Sets form fields and changes nothing else. */
function withFields(notebook: string, fields: Readonly<Record<string, string>>): string {
  let changed = notebook;
  for (const [name, value] of Object.entries(fields)) {
    const field = new RegExp(`"${name} = .*?(  #@param )`);
    expect(changed).toMatch(field);
    changed = changed.replace(field, `"${name} = ${value.replaceAll('"', '\\"')}$1`);
  }
  return changed;
}

/** The token that the client was given is not in what the notebook would save. */
async function expectNoToken(text: string, home: string): Promise<void> {
  const known = await readFile(join(home, 'client', 'workers.json'), 'utf8');
  const [, token = ''] = /"token":\s*"([^"]+)"/.exec(known) ?? [];
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(text).not.toContain(token);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

/** Names of the files that two notebooks carry and that are not the same in both. */
function differences(one: string, other: string): string[] {
  const [a, b] = [carriedFiles(one), carriedFiles(other)];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const isSame = (name: string) => Buffer.from(a[name] ?? 'absent').equals(b[name] ?? Buffer.of());
  return [...names].filter((name) => !isSame(name));
}

function carriedFiles(notebook: string): Unzipped {
  const cells = z.object({ cells: z.array(z.object({ source: z.array(z.string()) })) });
  const source = cells.parse(JSON.parse(notebook)).cells[1]?.source.join('') ?? '';
  const [, payload = ''] = /PAYLOAD = """\n([^"]+)"""/.exec(source) ?? [];
  return unzipSync(Buffer.from(payload, 'base64'));
}
