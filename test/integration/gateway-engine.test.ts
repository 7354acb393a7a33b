import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { homeWithToken } from './support/worker-process.ts';

const realEngine = fileURLToPath(new URL('../../worker/engine/main.ts', import.meta.url));
/** Given after the small engine's, so it is the one that counts. */
const args = ['--engine-program', realEngine];

// No nvidia-smi is found there, so there is no GPU whatever this machine has.
const noGpu = { PATH: '/nowhere' };

test.each([
  ['on the CPU', {}],
  ['on WebAssembly that somebody prefers', { TELETRAIN_PREFER_ENGINE: 'wasm' }],
])('a worker that requires a GPU ends with the reason rather than train %s', async (_, more) => {
  await using home = await homeWithToken();
  await using worker = home.start({
    args: [...args, '--require-gpu'],
    environment: { ...noGpu, ...more },
  });
  expect((await worker.ended).code).toBe(1);
  expect(worker.lines.map(({ event }) => event)).not.toContain('listening');
  expect(
    [...worker.lines.map((line) => JSON.stringify(line)), ...worker.errors].join('\n'),
  ).toMatch(/gpu-required.*A GPU is required.*no NVIDIA GPU or driver/);
});
