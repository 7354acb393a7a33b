import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../client/session/client.ts';
import { endsWithTest } from '../integration/session-set-up.ts';
import { temporaryHome, WorkerProcess } from '../integration/support/worker-process.ts';

const stack = new AsyncDisposableStack();
const preload = fileURLToPath(new URL('../../client/register.ts', import.meta.url));
let home: string;
let folder: string;

beforeAll(async () => {
  const workerHome = stack.use(await temporaryHome());
  home = stack.use(await temporaryHome()).path;
  folder = stack.use(await temporaryHome()).path;
  const environment = { CUDA_VISIBLE_DEVICES: '-1' };
  const worker = stack.use(new WorkerProcess(workerHome.path, { args: endsWithTest, environment }));
  const { url, code } = await worker.listening();
  const client = createClient({ home });
  await client.connectWorker(url, { code, name: 'colab' });
  await client.close();
});
afterAll(() => stack.disposeAsync());

/** The last line that a program prints is JSON. */
async function run(program: string, args: readonly string[], { on = 'colab', require = '' } = {}) {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', preload, path, ...args],
    {
      env: {
        ...process.env,
        TELETRAIN_HOME: home,
        TELETRAIN_WORKER: on,
        TELETRAIN_REQUIRE: require,
      },
      timeout: 120_000,
    },
  );
  return { result: JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), stderr };
}

describe('a program written for tfjs, started with `--import teletrain/register`', () => {
  test('trains a convolutional network written for tfjs-node, saves it to files and loads it', async () => {
    const saved = join(folder, 'digits');
    const { result, stderr } = await run('./digits.cjs', [saved]);
    expect(result.backend).toBe('remote');
    expect(result.accuracy).toBeGreaterThan(0.8);
    expect((await readdir(saved)).sort()).toEqual(['model.json', 'weights.bin']);
    expect(stderr).toMatch(/tfjs runs on .+ \((native (CPU|GPU)|WebAssembly)/);
  });

  test("trains tfjs' own recurrent layers to add numbers", async () => {
    const { result } = await run('./addition.mjs', []);
    expect(result.backend).toBe('remote');
    expect(result.accuracy).toBeGreaterThan(0.75);
  });

  test('trains on a table that tf.data reads on the laptop', async () => {
    const table = join(folder, 'plane.csv');
    const rows = Array.from({ length: 400 }, (_, index) => {
      const [x, y] = [Math.sin(index), Math.cos(index * 1.7)];
      return `${x},${y},${2 * x - 3 * y + 1}`;
    });
    await writeFile(table, ['x,y,z', ...rows].join('\n'));
    const { result } = await run('./plane.mjs', [table]);
    expect(result.backend).toBe('remote');
    expect(result.loss).toBeLessThan(0.01);
    expect(result.z).toBeCloseTo(3.5, 1);
  });

  test('ends with the reason, and before its first line, where there is no such worker', async () => {
    const error: unknown = await run('./plane.mjs', ['/nowhere.csv'], { on: 'elsewhere' }).catch(
      (why) => why,
    );
    expect(error).toMatchObject({ code: 1, stderr: expect.stringContaining('elsewhere') });
    expect(error).toMatchObject({ stderr: expect.not.stringContaining('ENOENT') });
  });

  test('ends before its first line where a GPU is required and the worker has none', async () => {
    const error: unknown = await run('./plane.mjs', ['/nowhere.csv'], { require: 'gpu' }).catch(
      (why) => why,
    );
    expect(error).toMatchObject({ code: 1, stderr: expect.stringMatching(/on its CPU: .+GPU/) });
    expect(error).toMatchObject({ stderr: expect.not.stringContaining('ENOENT') });
  });
});
