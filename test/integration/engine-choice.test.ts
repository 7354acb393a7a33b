import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { doctorReportSchema } from '../../shared/doctor-report.ts';
import { engineReportSchema } from '../../shared/engine-report.ts';
import { openEngine } from '../../worker/engine/backend/engine.ts';
import { runCommand } from '../../worker/native/command.ts';
import { engineEnvironment } from '../../worker/native/environment.ts';

let programs: string;
beforeEach(async () => {
  programs = await mkdtemp(join(tmpdir(), 'teletrain-programs-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(programs, { recursive: true, force: true });
});

async function giveDriver(words: string) {
  const program = join(programs, 'nvidia-smi');
  await writeFile(program, `#!/bin/sh\necho '${words}'\n`);
  await chmod(program, 0o755);
  vi.stubEnv('PATH', `${programs}${delimiter}${process.env.PATH}`);
}

describe('opening the engine', () => {
  it('takes the native one, tests it and reports what runs', async () => {
    const engine = await openEngine();
    const report = engineReportSchema.parse(engine.report);
    expect(report.kind).toBe('native');
    expect(report.tensorflowVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(report.threads).toBeGreaterThan(0);
    expect(report.candidates.find(({ chosen }) => chosen)?.name).toBe(`native-${engine.device}`);
  });

  it('refuses to run on the CPU where a GPU is required and there is no driver', async () => {
    vi.stubEnv('PATH', programs);
    await expect(openEngine({ require: 'gpu' })).rejects.toMatchObject({
      code: 'gpu-required',
      message: expect.stringContaining('no NVIDIA GPU or driver'),
      hint: expect.stringContaining('doctor'),
    });
  });

  it('refuses where the driver has a GPU and TensorFlow has no kernels for it', async () => {
    await giveDriver('Tesla T4, 15360, 580.82.07, GPU-11112222');
    await expect(openEngine({ require: 'gpu' })).rejects.toMatchObject({
      code: 'gpu-required',
      message: expect.stringMatching(/built for the CPU only.*Tesla T4/),
    });
  });

  it('reports a GPU that is there and not used, apart from the one that computes', async () => {
    await giveDriver('Tesla T4, 15360, 580.82.07, GPU-11112222');
    const { report } = await openEngine();
    expect(report.device).toBe('cpu');
    expect(report.gpuFound).toEqual({ name: 'Tesla T4', memoryBytes: 15360 * 2 ** 20 });
    expect(report).not.toHaveProperty('gpu');
  });

  it.each([
    ['gpu', 'gpu-required'],
    ['native', undefined],
  ])('never prefers WebAssembly where the environment requires %s', async (required, code) => {
    vi.stubEnv('PATH', programs);
    vi.stubEnv('TELETRAIN_REQUIRE_ENGINE', required);
    const opening = openEngine({ prefer: 'wasm' });
    if (code) await expect(opening).rejects.toMatchObject({ code });
    else expect((await opening).kind).toBe('native');
  });

  it('refuses where the driver answers and has no GPU', async () => {
    await giveDriver('No devices were found');
    await expect(openEngine({ require: 'gpu' })).rejects.toMatchObject({
      message: expect.stringContaining('nvidia-smi finds no GPU'),
    });
  });

  it('takes the requirement from the environment, and none that it does not know', async () => {
    vi.stubEnv('TELETRAIN_REQUIRE_ENGINE', 'gpu');
    await expect(openEngine()).rejects.toMatchObject({ code: 'gpu-required' });
    vi.stubEnv('TELETRAIN_REQUIRE_ENGINE', 'tpu');
    await expect(openEngine()).rejects.toMatchObject({ code: 'engine-unknown', exitCode: 2 });
  });

  it('takes no instruction set from the environment that its kernels would pass over', async () => {
    vi.stubEnv('TELETRAIN_INSTRUCTION_SET', 'avx');
    await expect(openEngine()).rejects.toMatchObject({
      ...{ code: 'instruction-set-unknown', exitCode: 2 },
      hint: 'Set it to plain, avx2, avx512, or to nothing.',
    });
  });
});

describe('the engine’s environment', () => {
  it('keeps TensorFlow quiet, and leaves what the user set', async () => {
    expect(await engineEnvironment({ PATH: programs })).toEqual({ TF_CPP_MIN_LOG_LEVEL: '2' });
    expect(await engineEnvironment({ PATH: programs, TF_CPP_MIN_LOG_LEVEL: '0' })).toEqual({});
  });

  it('keeps TensorFlow from taking all of a GPU’s memory', async () => {
    await giveDriver('Tesla T4, 15360, 580.82.07, GPU-11112222');
    expect(await engineEnvironment()).toMatchObject({ TF_FORCE_GPU_ALLOW_GROWTH: 'true' });
  });
});

describe('the engine in a process of its own', () => {
  it('is examined by doctor, which prints one JSON document', async () => {
    const result = await runCommand(process.execPath, [resolve('dist/worker/native/doctor.js')]);
    const report = doctorReportSchema.parse(JSON.parse(result.stdout));
    expect(report.engine?.kind).toBe('native');
    expect(report.disk.freeBytes).toBeGreaterThan(0);
    expect(report.data.map(({ dataset }) => dataset)).toEqual([
      'imdb',
      'mnist',
      'binarized-mnist',
      'mnist-10k',
    ]);
    expect(report.data.at(-1)?.missing).toEqual([]);
  });

  it.each(['native', 'wasm'])('computes with %s without a word of its own', async (prefer) => {
    const engine = resolve('dist/worker/engine/backend/engine.js');
    const script = `
      import * as tf from '@tensorflow/tfjs-core';
      const { openEngine } = await import(${JSON.stringify(engine)});
      const { kind } = await openEngine({ prefer: '${prefer}', require: 'nothing' });
      const gradient = tf.grad((x) => tf.sum(tf.concat([tf.tanh(tf.matMul(x, x)), x])));
      tf.topk(tf.tensor1d([1, 3, 2]), 2);
      console.log(kind, gradient(tf.zeros([2, 2])).shape.join());`;
    const result = await runCommand(process.execPath, ['--input-type=module', '--eval', script]);
    expect(result.stderr).toBe('');
    expect(result.stdout).toBe(`${prefer} 2,2\n`);
  });
});
