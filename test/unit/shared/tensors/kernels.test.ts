import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { isKernelName, kernels } from '../../../../shared/tensors/kernels.ts';

/** Of those that tfjs-core names, what its own text says cannot cross a wire or has no kernel. */
const leftOut = ['Draw', 'FromPixels', 'Pool', 'RaggedGather', 'RaggedTensorToTensor'];

test('the kernels that may be run are those of tfjs-core, and no others', () => {
  // A kernel's name is exported under itself; the fused ones are named _Fused and Fused.
  const named = Object.entries(tf).flatMap(([key, value]) =>
    typeof value === 'string' && value === key ? [value] : [],
  );
  expect(named.length).toBeGreaterThan(150);
  expect(named.filter((name) => !isKernelName(name)).sort()).toEqual(leftOut);
  expect(Object.keys(kernels).filter((name) => !named.includes(name))).toEqual([]);
});
