import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import { probedLayers } from '../../../../../worker/engine/probe/layers.ts';
import { probeLayers } from '../../../../../worker/engine/probe/probe.ts';
import { toleranceHere } from '../../../../../worker/engine/probe/tolerance.ts';

const engine = await openEngine();
const canRound = engine.kind === 'native' && engine.device === 'cpu';
if (!canRound) console.warn('NOT CHECKED: TF32. Missing: the native engine on a CPU.');

const kernelName = 'BatchMatMul';
const exact = tf.getKernel(kernelName, 'tensorflow');

/** Rounds to TF32's 10 bits of mantissa, to nearest and to even, as NVIDIA's tensor cores do. */
function roundedToTf32(tensor: tf.Tensor): tf.Tensor {
  const values = Float32Array.from(tensor.dataSync());
  const bits = new Uint32Array(values.buffer);
  for (const [place, word] of bits.entries()) {
    bits[place] = (word + 0xfff + ((word >>> 13) & 1)) & ~0x1fff;
  }
  return tf.tensor(values, tensor.shape);
}

/** tfjs' matrix products as an Ampere GPU computes them. */
function roundProducts(): void {
  tf.unregisterKernel(kernelName, 'tensorflow');
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, ...more }) => {
      const { a, b } = inputs as { a: tf.Tensor; b: tf.Tensor };
      const rounded = { a: roundedToTf32(a), b: roundedToTf32(b) };
      const product = exact?.kernelFunc({ inputs: rounded, ...more });
      tf.dispose(rounded);
      return product as tf.TensorInfo;
    },
  });
}

describe.runIf(canRound)('where products are rounded to TF32', () => {
  beforeEach(roundProducts);
  afterEach(() => {
    tf.unregisterKernel(kernelName, 'tensorflow');
    if (exact) tf.registerKernel(exact);
  });

  it('it is found, and layers made of such products are right', async () => {
    expect(toleranceHere()).toEqual({ relative: 5e-3, tf32: true });
    for (const { layer, implementations } of await probeLayers(probedLayers, { budget: 0 })) {
      const rounded = implementations.find(({ name }) => name === 'composed');
      expect([layer, rounded?.agrees]).toEqual([layer, true]);
      expect(rounded?.reason).toContain('with TF32');
      expect(rounded?.difference).toBeGreaterThan(1e-4);
      expect(rounded?.difference).toBeLessThan(2.5e-3);
    }
  });
});

it.runIf(canRound)('products that are not rounded must be as exact as float32', () => {
  expect(toleranceHere()).toEqual({ relative: 1e-4, tf32: false });
});
