import { describe, expect, it } from 'vitest';
import { TeletrainError } from '../../../../../shared/errors.ts';
import { explainCandidates } from '../../../../../worker/engine/backend/candidates.ts';

const gpu = {
  name: 'Tesla T4',
  memoryBytes: 15 * 2 ** 30,
  driverVersion: '580.82',
  uuid: 'GPU-11112222',
};
const noGpu = { missing: 'no NVIDIA GPU or driver on this machine' };
const binding = (builtWithCuda: boolean) => ({
  binding: {
    path: '/cache/tfjs_binding.node',
    tensorflow: {
      directory: '/lib/tensorflow',
      version: '2.20.0',
      origin: 'installed' as const,
      builtWithCuda,
    },
  },
});
const problem = {
  problem: new TeletrainError('no-compiler', 'No C++ compiler was found (g++).', {
    hint: 'Install build-essential and try again.',
  }),
};

describe('the engines’ candidates', () => {
  it('come in the fixed order with exactly one chosen', () => {
    const all = [
      explainCandidates({ gpuSearch: { gpu }, ensured: binding(true), native: { usesGpu: true } }),
      explainCandidates({ gpuSearch: noGpu, ensured: binding(false), native: { usesGpu: false } }),
      explainCandidates({ gpuSearch: noGpu, ensured: problem, native: undefined }),
      explainCandidates({ gpuSearch: noGpu, ensured: undefined, native: undefined }),
    ];
    expect(all.map((list) => list.map(({ name }) => name))).toEqual(
      Array(4).fill(['native-gpu', 'native-cpu', 'wasm']),
    );
    expect(all.map((list) => list.filter(({ chosen }) => chosen).map(({ name }) => name))).toEqual([
      ['native-gpu'],
      ['native-cpu'],
      ['wasm'],
      ['wasm'],
    ]);
  });

  it('say what is missing and what to install when the native engine cannot be made', () => {
    const [, cpu] = explainCandidates({ gpuSearch: noGpu, ensured: problem, native: undefined });
    expect(cpu?.reason).toBe(
      'No C++ compiler was found (g++): Install build-essential and try again',
    );
  });

  it('tell a TensorFlow built without GPU kernels from one that does not find the GPU', () => {
    const without = explainCandidates({
      gpuSearch: { gpu },
      ensured: binding(false),
      native: { usesGpu: false },
    });
    expect(without[0]?.reason).toContain('built for the CPU only');
    expect(without[0]?.reason).toContain('Tesla T4');
    const blind = explainCandidates({
      gpuSearch: { gpu },
      ensured: binding(true),
      native: { usesGpu: false },
    });
    expect(blind[0]?.reason).toContain('LD_LIBRARY_PATH');
  });
});
