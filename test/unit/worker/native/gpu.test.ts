import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findGpu } from '../../../../worker/native/gpu.ts';

let programs: string;
beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'teletrain-driver-'));
  const program = join(programs, 'nvidia-smi');
  const lines = [
    'Tesla T4, 15360, 580.82.07, GPU-1111-aa',
    'NVIDIA L4, 23034, 580.82.07, GPU-2222-bb',
  ];
  await writeFile(program, `#!/bin/sh\n${lines.map((line) => `echo '${line}'\n`).join('')}`);
  await chmod(program, 0o755);
});
afterAll(async () => {
  await rm(programs, { recursive: true, force: true });
});

const search = async (visible?: string) =>
  await findGpu({
    PATH: programs,
    ...(visible !== undefined && { CUDA_VISIBLE_DEVICES: visible }),
  });

describe('the GPU that is reported', () => {
  it('is the first of the driver, with its memory', async () => {
    expect(await search()).toEqual({
      gpu: {
        name: 'Tesla T4',
        memoryBytes: 15360 * 2 ** 20,
        driverVersion: '580.82.07',
        uuid: 'GPU-1111-aa',
      },
    });
  });

  it.each([
    ['0', 'Tesla T4'],
    ['1', 'NVIDIA L4'],
    ['1,0', 'NVIDIA L4'],
    ['GPU-2222', 'NVIDIA L4'],
    ['MIG-GPU-2222-bb/1/0', 'NVIDIA L4'],
  ])('is the one that CUDA_VISIBLE_DEVICES=%s picks', async (visible, name) => {
    expect(await search(visible)).toMatchObject({ gpu: { name } });
  });

  it.each(['', '-1', '2', 'GPU-', 'none'])(
    'is none where CUDA_VISIBLE_DEVICES=%j hides them all',
    async (visible) => {
      expect(await search(visible)).toEqual({
        missing: expect.stringContaining('CUDA_VISIBLE_DEVICES'),
      });
    },
  );
});
